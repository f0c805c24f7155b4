"""Compare the import of a UMLS release with reading the same rows and doing less with them.

    python scripts/kb_peer.py SYNCABEL META [FLAG ...]

META is a folder with MRCONSO.RRF and MRSTY.RRF, e.g. of `go run ./internal/terminology/invented/gen`; flags go to
`syncabel import kb`. Peers, each in a process of its own on the same machine, one after the other:

  scan     a plain scanner: lines, split at the bars, in Go (internal/terminology/invented/gen -scan)
  duckdb   names and types of each concept with DuckDB into a Parquet file: split, filter, join, group; no index, no search
  polars   the same with polars, streaming

Prints processor seconds, wall seconds, rows a second of processor time, the ratio of processor time to the import's, and the
largest resident memory. Needs duckdb and polars; written for duckdb 2.0 and polars 2.1.
"""

import os
import subprocess
import sys
import tempfile
import time

PEER = {
    "duckdb": """
import duckdb, sys
conso, sty, out = sys.argv[1:]
duckdb.sql(f'''COPY (
  WITH t AS (SELECT column0 cui, list(column3) types FROM read_csv('{sty}', delim='|', header=false, quote='', escape='', all_varchar=true) GROUP BY 1)
  SELECT c.column00 cui, any_value(types) types, list({{'name': c.column14, 'lat': c.column01, 'sab': c.column11, 'tty': c.column12}}) names
  FROM read_csv('{conso}', delim='|', header=false, quote='', escape='', all_varchar=true) c JOIN t ON t.cui = c.column00
  WHERE c.column16 = 'N' GROUP BY 1) TO '{out}' (FORMAT parquet)''')
""",
    "polars": """
import polars as pl, sys
conso, sty, out = sys.argv[1:]
read = dict(separator='|', has_header=False, quote_char=None, infer_schema=False)
t = pl.scan_csv(sty, **read).group_by('column_0').agg(types=pl.col('column_3'))
(pl.scan_csv(conso, **read).filter(pl.col('column_16') == 'N').join(t, on='column_0').group_by('column_0')
 .agg(pl.col('types').first(), names=pl.struct('column_14', 'column_1', 'column_11', 'column_12')).sink_parquet(out))
""",
}


def measure(args):
    start = time.time()
    p = subprocess.Popen(args, stdout=subprocess.DEVNULL)
    _, status, use = os.wait4(p.pid, 0)
    if status:
        sys.exit(f"{args[0]} failed")
    return use.ru_utime + use.ru_stime, time.time() - start, use.ru_maxrss / 1024


def main():
    program, meta, flags = sys.argv[1], sys.argv[2], sys.argv[3:]
    conso, sty = (os.path.join(meta, f) for f in ("MRCONSO.RRF", "MRSTY.RRF"))
    with tempfile.TemporaryDirectory(dir=os.path.dirname(os.path.abspath(meta))) as tmp:
        scan = os.path.join(tmp, "gen")
        subprocess.run(["go", "build", "-o", scan, "./internal/terminology/invented/gen"], check=True)
        rows = int(subprocess.run([scan, "-scan", conso], check=True, capture_output=True, text=True).stdout)
        runs = {"import": [program, "--quiet", "import", "kb", "--format", "umls", *flags, "--out", os.path.join(tmp, "kb"), meta], "scan": [scan, "-scan", conso]}
        for name, code in PEER.items():
            runs[name] = [sys.executable, "-c", code, conso, sty, os.path.join(tmp, name + ".parquet")]
        base = None
        print(f"{rows} rows, {os.path.getsize(conso) / 1e9:.2f} GB\n{'':8} {'cpu s':>7} {'wall s':>7} {'rows/cpu s':>11} {'ratio':>6} {'MiB':>6}")
        for name, args in runs.items():
            cpu, wall, memory = measure(args)
            base = base or cpu
            print(f"{name:8} {cpu:7.1f} {wall:7.1f} {rows / cpu:11.0f} {cpu / base:6.2f} {memory:6.0f}", flush=True)


main()
