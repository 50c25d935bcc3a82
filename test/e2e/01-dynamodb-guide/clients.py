"""What a Python program does through the tunnel; prints one JSON object."""
import json
import sys

import boto3
from botocore.config import Config

endpoint, action = sys.argv[1], sys.argv[2]
settings = Config(retries={"total_max_attempts": 1}, read_timeout=60)


def client(region="us-east-1", service="dynamodb"):
    return boto3.client(service, endpoint_url=endpoint, region_name=region, config=settings)


def tables():
    # Line for line what the guide types at its prompt.
    clt = boto3.client("dynamodb", endpoint_url=endpoint)
    res = clt.list_tables()
    return {"TableNames": res["TableNames"]}


def pages():
    paginator = client().get_paginator("scan")
    sizes, keys = [], set()
    for page in paginator.paginate(TableName="pages", PaginationConfig={"PageSize": 7}):
        sizes.append(len(page["Items"]))
        keys.update(item["id"]["S"] for item in page["Items"])
    return {"pages": len(sizes), "items": len(keys)}


def batch():
    # 25 puts of just under 400 KB of item each, with binary that grows in base64: over 12 MB on the wire.
    blob = "x" * 399_000
    items = [{"PutRequest": {"Item": {"id": {"S": f"big-{n}"}, "blob": {"S": blob}}}} for n in range(25)]
    body = len(json.dumps({"RequestItems": {"pages": items}}))
    answer = client().batch_write_item(RequestItems={"pages": items})
    return {"bytes": body, "unprocessed": len(answer["UnprocessedItems"])}


def local_region():
    return {"TableNames": client(region="local").list_tables()["TableNames"]}


def streams():
    ddb, strm = client(), client(service="dynamodbstreams")
    arn = ddb.describe_table(TableName="streamed")["Table"]["LatestStreamArn"]
    ddb.put_item(TableName="streamed", Item={"id": {"S": "one"}})
    shard = strm.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"][0]["ShardId"]
    iterator = strm.get_shard_iterator(StreamArn=arn, ShardId=shard, ShardIteratorType="TRIM_HORIZON")["ShardIterator"]
    records = strm.get_records(ShardIterator=iterator)["Records"]
    return {"listed": len(strm.list_streams()["Streams"]), "keys": [r["dynamodb"]["Keys"]["id"]["S"] for r in records]}


print(json.dumps({"tables": tables, "pages": pages, "batch": batch, "local": local_region, "streams": streams}[action]()))
