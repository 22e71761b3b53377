"""How much of a model is read before it is refused; real models stay far below, bombs do not."""

#: Protobuf cannot hold more in one message; larger models keep their weights in external files.
MODEL_BYTES = (1 << 31) - 1
#: Fields and packed integers outside of weights. The largest exports have less than a million; each costs 1 to 3 µs.
FIELDS = 2_000_000
#: Messages within messages, protobuf's own limit; one nested subgraph takes three.
DEPTH = 100
#: Nodes of the graph, its subgraphs and functions together.
NODES = 200_000
#: Functions that call functions.
FUNCTION_DEPTH = 50
#: Names and strings of a graph with its functions written out.
WRITTEN_OUT_BYTES = 1 << 28
#: Initializers and tensors in attributes together.
TENSORS = 200_000
#: UTF-8 bytes of one name, domain or operator type.
TEXT_BYTES = 1 << 16
#: Bytes of one string attribute.
BYTES_BYTES = 1 << 26
#: Dimensions of a tensor; TensorRT has 8.
RANK = 64
#: Integers of all tensors that are not stored as raw bytes, which only Python code can unpack.
UNPACKED_INTEGERS = 1 << 24
#: Bytes of all string tensors together.
STRING_TENSOR_BYTES = 1 << 26
#: Bytes of all weights together.
WEIGHT_BYTES = 64 << 30
