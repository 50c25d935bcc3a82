"""Requests that are easily harmed on their way, as boto3 makes them. Prints one JSON object."""
import io
import json
import sys

import boto3
from botocore.exceptions import ClientError

ODD = ["a b+c%2F=&:,@()!*'/u/../~", "..", "../up", "a//b", "/leading", "trailing/", ".", "caf\u00e9 \U0001F3B2", "line\nfeed"]


def objects():
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket="files")
    for key in ODD:
        s3.put_object(Bucket="files", Key=key, Body=key.encode(), Metadata={"odd": "a   b"})
        got = s3.get_object(Bucket="files", Key=key)
        assert got["Body"].read() == key.encode(), key
        assert got["Metadata"]["odd"] in ("a   b", "a b"), got["Metadata"]
    listed = {entry["Key"] for entry in s3.list_objects_v2(Bucket="files")["Contents"]}
    assert set(ODD) <= listed, set(ODD) - listed
    s3.copy_object(Bucket="files", Key="copy", CopySource={"Bucket": "files", "Key": ODD[0]})
    assert s3.get_object(Bucket="files", Key="copy", Range="bytes=0-2")["Body"].read() == ODD[0].encode()[:3]
    return {"keys": len(listed)}


def uploads():
    s3 = boto3.client("s3")
    s3.put_object(Bucket="files", Key="empty", Body=b"")
    body = bytes(range(256)) * 80_000
    s3.upload_fileobj(io.BytesIO(body), "files", "parts")
    assert s3.get_object(Bucket="files", Key="parts")["Body"].read() == body
    s3.put_object(Bucket="files", Key="sha", Body=body, ChecksumAlgorithm="SHA256")
    assert s3.head_object(Bucket="files", Key="sha", ChecksumMode="ENABLED")["ContentLength"] == len(body)
    try:
        s3.head_object(Bucket="files", Key="missing")
    except ClientError as error:
        return {"missing": error.response["Error"]["Code"], "empty": s3.head_object(Bucket="files", Key="empty")["ContentLength"]}


def services():
    return {
        "sts": boto3.client("sts").get_caller_identity()["Arn"],
        "dynamodb": boto3.client("dynamodb").list_tables()["TableNames"],
        "elsewhere": boto3.client("dynamodb", region_name="eu-west-1").list_tables()["TableNames"],
        "iam": "Users" in boto3.client("iam").list_users(),
        "missing": code(lambda: boto3.client("dynamodb").describe_table(TableName="none")),
    }


def twelve_hours():
    try:
        boto3.client("sts").assume_role(RoleArn=sys.argv[2], RoleSessionName="mine", DurationSeconds=43200)
    except ClientError as error:
        return {"code": error.response["Error"]["Code"], "says": error.response["Error"]["Message"]}


def refused():
    def shown(call):
        try:
            call()
            return "not refused"
        except ClientError as error:
            return [error.response["Error"]["Code"], error.response["Error"].get("Message", "")]

    return {
        "dynamodb": shown(lambda: boto3.client("dynamodb").list_tables()),
        "s3": shown(lambda: boto3.client("s3").list_buckets()),
        "iam": shown(lambda: boto3.client("iam").list_users()),
    }


def code(call):
    try:
        call()
    except ClientError as error:
        return error.response["Error"]["Code"]


print(json.dumps(globals()[sys.argv[1]]()))
