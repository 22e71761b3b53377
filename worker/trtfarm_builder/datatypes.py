"""NumPy's words for TensorRT's data types, whose enum and log each have their own."""

_WORDS = {
    "float": "float32",
    "fp32": "float32",
    "half": "float16",
    "fp16": "float16",
    "bf16": "bfloat16",
    "fp8": "float8_e4m3fn",
    "fp4": "float4_e2m1fn",
}


def numpy_word(word: str) -> str:
    """`FLOAT` and `Float` are float32; what is the same for both (`Int8`) is only put in lower case."""
    word = word.lower()
    return _WORDS.get(word, word)
