"""The file formats of recordings, one module a format; `tinyol_sim.recordings` picks among them.

A format's `read(path)` returns a `Parsed`, what the file says and nothing else; its
`to_bytes(recording)` returns a whole file. The bytes and columns are specified in
docs/recordings.md.
"""
