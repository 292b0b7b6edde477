#!/usr/bin/env python3
"""Writes a small GGUF file for tests: gguf.py FILE TOKENS [PART OF], with TOKENS tokens of 24 bytes in
its header and one tensor of ROWS (4096) rows whose data is a hole."""
import os
import struct
import sys

path, n_token = sys.argv[1], int(sys.argv[2])
part, of = (int(sys.argv[3]), int(sys.argv[4])) if len(sys.argv) > 4 else (0, 0)
rows = int(os.environ.get("ROWS", "4096"))
U32, F32, STR, ARR, U16, I32 = 4, 6, 8, 9, 2, 5


def s(text):
    b = text.encode()
    return struct.pack("<Q", len(b)) + b


keys = []
if part == 0:
    keys += [s("general.architecture") + struct.pack("<I", STR) + s("llama"),
             s("general.name") + struct.pack("<I", STR) + s("Far Away"),
             s("general.file_type") + struct.pack("<I", U32) + struct.pack("<I", 0)]
    for k, v in (("block_count", 1), ("context_length", 512), ("embedding_length", 64),
                 ("feed_forward_length", 128), ("attention.head_count", 4)):
        keys.append(s("llama." + k) + struct.pack("<II", U32, v))
    keys.append(s("llama.attention.layer_norm_rms_epsilon") + struct.pack("<If", F32, 1e-5))
    keys.append(s("tokenizer.ggml.model") + struct.pack("<I", STR) + s("llama"))
    keys.append(s("tokenizer.ggml.tokens") + struct.pack("<IIQ", ARR, STR, n_token) +
                b"".join(s("%024d" % i) for i in range(n_token)))
if of:
    keys += [s("split.no") + struct.pack("<IH", U16, part), s("split.count") + struct.pack("<IH", U16, of),
             s("split.tensors.count") + struct.pack("<Ii", I32, of)]
name = "token_embd.weight" if part == 0 else "blk.0.part%d.weight" % part
head = b"GGUF" + struct.pack("<IQQ", 3, 1, len(keys)) + b"".join(keys)
head += s(name) + struct.pack("<IQQIQ", 2, 64, rows, 0, 0)
head += b"\0" * (-len(head) % 32)
with open(path, "wb") as f:
    f.write(head)
    f.truncate(len(head) + 64 * rows * 4)
    f.flush()
    # a last byte, so that nothing takes the file for a ghost or an unfinished download
    f.seek(-1, os.SEEK_END)
    f.write(b"\1")
