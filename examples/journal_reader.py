# SPDX-License-Identifier: Apache-2.0
"""A recorded segment (NAME.log, NAME.log.zst) read with plain Python and zstdcat, after docs/journal.md. python3-xxhash is used if there."""
import importlib.util, itertools, re, subprocess, sys
xxh3 = importlib.util.find_spec("xxhash") and __import__("xxhash").xxh3_64_hexdigest
SUM = re.compile(rb'(\d+ 0 sum \{"bytes":(\d+),"xxh3":")([0-9a-f]{16})"\}\n')
LINE = re.compile(rb"^(\d+) (\d+) ([a-z]+) ([^\n]*)\n", re.M)

def read(path):
    """Yields (recv_ns, link, kind, message) of each line but sums. What a sum does not prove is told on stderr, not yielded."""
    zstd = subprocess.Popen(["zstdcat", path], stdout=subprocess.PIPE) if path.endswith(".zst") else None
    lines, offset = [], 0
    for line in itertools.chain(zstd.stdout if zstd else open(path, "rb"), [b""]):
        lines.append(line)
        if (found := SUM.fullmatch(line)) or line == b"":  # b"": what stands behind the last sum, without a proof
            span, begin = b"".join(lines), 0
            if found:  # it counts the bytes before it; its hash is of those and of its own first part
                begin = len(span) - len(line) - int(found[2])
                proof = span[max(begin, 0):len(span) - len(line) + len(found[1])]
                if begin < 0 or (xxh3(proof).encode() != found[3] if xxh3 else begin > 0):
                    begin = len(span)
            if begin > 0:
                print(f"{path}: damaged: {begin} bytes from {offset} on", file=sys.stderr)
            for recv_ns, link, kind, text in LINE.findall(span[begin:len(span) - len(line)]):
                yield int(recv_ns), int(link), kind.decode(), re.sub(rb"\\x(..)", lambda hex: bytes([int(hex[1], 16)]), text)
            lines, offset = [], offset + len(span)
    if zstd and zstd.wait() != 0:
        raise OSError(f"{path}: zstdcat finds it damaged; see: nightbook journal repair")

for line in read(sys.argv[1]) if __name__ == "__main__" else ():
    print(*line)
