"""Bodies beyond what an agent holds until they are hashed, as boto3 sends them; prints one JSON object of what it read."""
import json
import os
import sys
import tempfile

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

settings = Config(retries={"total_max_attempts": 1})
SIZE = 257 * 1024 * 1024


def told(call):
    try:
        call()
    except ClientError as error:
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        return [status, error.response["Error"]["Code"], error.response["Error"].get("Message", "")]
    return [200, "none", "not refused"]


def of(service):
    return boto3.client(service, config=settings)


def function():
    with tempfile.TemporaryFile() as file:
        os.truncate(file.fileno(), SIZE)
        return told(lambda: of("lambda").invoke(FunctionName="echo", Payload=file))


def form():
    return told(lambda: of("sns").publish(TopicArn="arn:aws:sns:us-east-1:123456789012:topic", Message="x" * SIZE))


def keys():
    return told(lambda: of("iam").create_policy(PolicyName="long", PolicyDocument="x" * (2 * 1024 * 1024)))


print(json.dumps({case: globals()[case]() for case in sys.argv[1:]}))
