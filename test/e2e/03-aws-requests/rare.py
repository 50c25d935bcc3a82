"""
Requests that are seldom made, as boto3 makes them. Prints a JSON object a line: the case, each request as boto3 wrote it on the wire,
and what it read in the answer.
"""
import base64
import hashlib
import json
import os
import sys

import boto3
from botocore import xform_name
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.handlers import BUILTIN_HANDLERS

written = []


def note(request, **_):
    """Told each request when nothing is left to be done to it but to send it."""
    # Of a body in frames with a trailer, what is framed.
    body = getattr(request.body, "_raw", request.body) or b""
    if hasattr(body, "read"):
        start = body.tell()
        body, _ = body.read(), body.seek(start)
    if isinstance(body, str):
        body = body.encode()
    headers = [[k, v if isinstance(v, str) else v.decode("latin1")] for k, v in request.headers.items()]
    # Of http.client, which sends it.
    headers.append(["accept-encoding", "identity"])
    _, _, rest = request.url.split("://", 1)[1].partition("/")
    path = f"/{rest}"
    written.append({"method": request.method, "path": path, "headers": headers, "sha256": hashlib.sha256(bytes(body)).hexdigest()})


def of(service, **settings):
    client = boto3.client(service, config=Config(retries={"total_max_attempts": 1}, **settings))
    client.meta.events.register_last("before-send", note)
    return client


def lambda_code():
    code = bytes(range(256)) * 200_000
    return of("lambda").update_function_code(FunctionName="echo", ZipFile=code)["CodeSize"]


def bedrock():
    told = b"".join(b"%020d" % at for at in range(1_000_000))
    arn = "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude/x"
    asked = of("bedrock-runtime")
    answer = json.load(asked.invoke_model(modelId="anthropic.claude-v2:1", body=told)["body"])
    return [answer["model"], answer["told"] == told.decode(), json.load(asked.invoke_model(modelId=arn, body=b"{}")["body"])["model"]]


def iot():
    return of("iot-data").publish(topic="a/b c/$x", qos=1, payload=b"\x00\xffpayload")["ResponseMetadata"]["HTTPStatusCode"]


def glacier():
    vaults = of("glacier")
    return vaults.upload_archive(vaultName="photos", archiveDescription="a   b", body=b"0123456789abcdef" * 160_000)["ResponseMetadata"][
        "HTTPStatusCode"
    ]


def ebs():
    block = b"block" * 104_857 + b"..."
    answer = of("ebs").put_snapshot_block(
        SnapshotId="snap-0123456789abcdef0",
        BlockIndex=7,
        BlockData=block,
        DataLength=len(block),
        Checksum=base64.b64encode(hashlib.sha256(block).digest()).decode(),
        ChecksumAlgorithm="SHA256",
    )
    return answer["ResponseMetadata"]["HTTPStatusCode"]


def streams():
    tables, streams = of("dynamodb"), of("dynamodbstreams")
    name = f"streamed-{sys.argv[1]}"
    tables.create_table(
        TableName=name,
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
    )
    tables.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1})
    tables.put_item(TableName=name, Item={"id": {"S": "1"}})
    [stream] = streams.list_streams(TableName=name)["Streams"]
    arn = stream["StreamArn"]
    shard = streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"][0]["ShardId"]
    at = streams.get_shard_iterator(StreamArn=arn, ShardId=shard, ShardIteratorType="TRIM_HORIZON")["ShardIterator"]
    return [record["eventName"] for record in streams.get_records(ShardIterator=at)["Records"]]


def endpoints():
    return of("dynamodb", endpoint_discovery_enabled=True).list_tables()["ResponseMetadata"]["HTTPStatusCode"]


def cells():
    return of("timestream-query").query(QueryString="SELECT 1")["ResponseMetadata"]["HTTPStatusCode"]


KEY = "a b+c%2F=/../caf\u00e9"


def put_and_get(bucket, **settings):
    s3 = of("s3", **settings)
    s3.put_object(Bucket=bucket, Key=KEY, Body=b"put there", Metadata={"odd": "a   b"})
    return s3.get_object(Bucket=bucket, Key=KEY)["Body"].read().decode()


def accelerated():
    of("s3").create_bucket(Bucket="far-away")
    return put_and_get("far-away", s3={"use_accelerate_endpoint": True})


def access_point():
    return put_and_get("arn:aws:s3:us-east-1:123456789012:accesspoint/reports")


def another_account():
    return put_and_get("arn:aws:s3:us-east-1:999999999999:accesspoint/reports")


def object_lambda():
    of("s3").put_object(Bucket="arn:aws:s3:us-east-1:123456789012:accesspoint/redacted", Key=KEY, Body=b"what a function makes of it")
    arn = "arn:aws:s3-object-lambda:us-east-1:123456789012:accesspoint/redacted"
    return of("s3").get_object(Bucket=arn, Key=KEY)["Body"].read().decode()


def outpost():
    return put_and_get("arn:aws:s3-outposts:us-east-1:123456789012:outpost/op-01ac5d28a6a232904/accesspoint/factory")


EXPRESS = "logs--use1-az4--x-s3"


def express():
    return put_and_get(EXPRESS)


def express_by_request():
    os.environ["AWS_S3_DISABLE_EXPRESS_SESSION_AUTH"] = "true"
    return put_and_get(EXPRESS)


# A region that none of these services is in.
AWAY = {"region_name": "eu-west-1"}


def globally():
    of("route53", **AWAY).list_hosted_zones()
    of("cloudfront", **AWAY).list_distributions()
    of("organizations", **AWAY).list_accounts()
    of("budgets", **AWAY).describe_budgets(AccountId="123456789012")
    return len(of("iam", **AWAY).list_users()["Users"])


def globally_dual():
    return len(of("iam", **AWAY, use_dualstack_endpoint=True).list_users()["Users"])


def control():
    return of("s3control").list_access_points(AccountId="123456789012")["ResponseMetadata"]["HTTPStatusCode"]


def control_elsewhere():
    return of("s3control").list_access_points(AccountId="999999999999")["ResponseMetadata"]["HTTPStatusCode"]


def tables_of(account):
    os.environ["AWS_ACCOUNT_ID"] = account
    return of("dynamodb", account_id_endpoint_mode="required").list_tables()["TableNames"]


def own_tables():
    return tables_of("123456789012")


def tables_elsewhere():
    return tables_of("999999999999")


def passwords():
    of("ecr").get_authorization_token()
    return of("codeartifact").get_authorization_token(domain="packages")["ResponseMetadata"]["HTTPStatusCode"]


def batch():
    # A quotation mark is one byte of an item and two of JSON: 25 items of 320 KB each, the most that one request may be.
    puts = [{"PutRequest": {"Item": {"id": {"S": f"{at:02}"}, "text": {"S": '"' * 320_000}}}} for at in range(25)]
    name = f"batch-{sys.argv[1]}"
    tables = of("dynamodb")
    tables.create_table(
        TableName=name,
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    tables.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1})
    tables.batch_write_item(RequestItems={name: puts})
    return len(tables.get_item(TableName=name, Key={"id": {"S": "24"}})["Item"]["text"]["S"])


def asked_of(shape):
    """The least that a shape may be."""
    if shape.type_name == "structure":
        return {name: asked_of(shape.members[name]) for name in shape.required_members}
    return {"integer": 1, "boolean": True, "list": []}.get(shape.type_name, "x")


def signed_within():
    """Each operation into which botocore puts an address that it has signed, asked of another region; what was read, by operation."""
    told = {}
    for event, handler, *_ in BUILTIN_HANDLERS:
        if not getattr(handler, "__name__", "").startswith("inject_presigned_url"):
            continue
        service, operation = event.split(".")[1:]
        client = of(service)
        asked = {**asked_of(client.meta.service_model.operation_model(operation).input_shape), "SourceRegion": "eu-west-1"}
        try:
            getattr(client, xform_name(operation))(**asked)
            told[f"{service}:{operation}"] = ["none", "not refused"]
        except ClientError as error:
            told[f"{service}:{operation}"] = [error.response["Error"]["Code"], error.response["Error"].get("Message", "")]
    return told


def late():
    answer = of("lambda", read_timeout=930).invoke(FunctionName="echo", Payload=b'{"patience": true}')
    return json.load(answer["Payload"])


for case in sys.argv[2:]:
    written = []
    try:
        read = globals()[case]()
    except ClientError as error:
        read = [error.response["Error"]["Code"], error.response["Error"].get("Message", "")]
    print(json.dumps({"case": case, "written": written, "read": read}))
