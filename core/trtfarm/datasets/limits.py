"""How much of untrusted data is read before it is refused."""

#: Bytes of the text header of a `.npy`.
HEADER_BYTES = 10_000
#: Dimensions of an array; NumPy 2 has 64, and NumPy 1, which builders may have, 32.
RANK = 32
#: Bytes of one sample, which is the least that is held in memory at once.
SAMPLE_BYTES = 1 << 30
#: Bytes of one array, unpacked.
ARRAY_BYTES = 1 << 38
#: Bytes unpacked that any compressed file may have, and how often larger than packed it may be beyond that. Arrays of
#: zeros (token types, masks) pack a thousandfold, so the ratio alone tells nothing.
UNPACKED_BYTES = 256 << 20
UNPACKED_RATIO = 100
#: Members of a `.npz`, and bytes of its list of members.
NPZ_MEMBERS = 1_000
NPZ_DIRECTORY_BYTES = 1 << 20
#: Arrays of all batches together in a file of Polygraphy's.
FEED_ARRAYS = 200_000
#: Bytes of a list of images or a specification.
TEXT_BYTES = 64 << 20
#: Images of one data set.
IMAGES = 200_000
#: Bytes read at once.
CHUNK_BYTES = 4 << 20
