"""Writes internal/corpus/bigbio/testdata/{element,item}.parquet from sample.jsonl there (pyarrow 26.0.1):
bigbio_fixture.py sample.jsonl element.parquet item.parquet"""
import pyarrow as pa, pyarrow.parquet as pq, json,sys
norm=pa.list_(pa.struct([("db_name",pa.string()),("db_id",pa.string())]))
txt=pa.list_(pa.string()); off=pa.list_(pa.list_(pa.int32()))
schema=pa.schema([("id",pa.string()),("document_id",pa.string()),
("passages",pa.list_(pa.struct([("id",pa.string()),("type",pa.string()),("text",txt),("offsets",off)]))),
("entities",pa.list_(pa.struct([("id",pa.string()),("type",pa.string()),("text",txt),("offsets",off),("normalized",norm)]))),
("events",pa.list_(pa.struct([("id",pa.string()),("type",pa.string()),("trigger",pa.struct([("text",txt),("offsets",off)])),("arguments",pa.list_(pa.struct([("role",pa.string()),("ref_id",pa.string())])))]))),
("coreferences",pa.list_(pa.struct([("id",pa.string()),("entity_ids",txt)]))),
("relations",pa.list_(pa.struct([("id",pa.string()),("type",pa.string()),("arg1_id",pa.string()),("arg2_id",pa.string()),("normalized",norm)])))])
rows=[json.loads(l) for l in open(sys.argv[1])]
t=pa.Table.from_pylist(rows,schema=schema)
pq.write_table(t,sys.argv[2],compression="snappy")
pq.write_table(t,sys.argv[3],compression="zstd",use_compliant_nested_type=False)
