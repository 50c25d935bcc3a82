"""What a Python program does with the settings of its environment; prints one JSON object."""
import json
import sys

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

settings = Config(retries={"total_max_attempts": 1}, read_timeout=60)


def tables():
    # Line for line what the guide types at its prompt.
    return {"TableNames": boto3.client("dynamodb").list_tables()["TableNames"]}


def objects():
    # Without it boto3 signs addresses with SigV2, which AWS itself takes from old buckets alone.
    s3 = boto3.client("s3", config=settings.merge(Config(signature_version="s3v4")))
    s3.create_bucket(Bucket="files")
    body = b"x" * 9_000_000
    s3.put_object(Bucket="files", Key="a b/+%2F", Body=body)
    got = s3.get_object(Bucket="files", Key="a b/+%2F")["Body"].read()
    presigned = s3.generate_presigned_url("get_object", Params={"Bucket": "files", "Key": "a b/+%2F"})
    return {"same": got == body, "presigned": presigned}


def whoami():
    return {"Arn": boto3.client("sts", config=settings).get_caller_identity()["Arn"]}


def refused():
    try:
        boto3.client("dynamodb", config=settings).list_tables()
    except ClientError as error:
        return {"code": error.response["Error"]["Code"], "message": error.response["Error"]["Message"]}
    return {"code": "none"}


def profiles():
    """One process, two profiles, one local port: each request is of the role that its key names."""
    arns = [
        boto3.Session(profile_name=name).client("sts", config=settings).get_caller_identity()["Arn"]
        for name in sys.argv[2:]
    ]
    return {"arns": arns}


print(json.dumps(globals()[sys.argv[1]]()))
