"""What boto3 makes of a refusal, service by service; prints one JSON object of code and message."""
import json

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

settings = Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"})


def told(call):
    try:
        call()
    except ClientError as error:
        return [error.response["Error"]["Code"], error.response["Error"].get("Message", "")]
    return ["none", "not refused"]


def of(service):
    return boto3.client(service, config=settings)


print(
    json.dumps(
        {
            "json 1.0": told(lambda: of("dynamodb").list_tables()),
            "json 1.1": told(lambda: of("logs").describe_log_groups()),
            "rest-json": told(lambda: of("lambda").list_functions()),
            "query": told(lambda: of("iam").list_users()),
            "query of STS": told(lambda: of("sts").get_caller_identity()),
            "ec2": told(lambda: of("ec2").describe_regions()),
            "S3": told(lambda: of("s3").list_buckets()),
            "S3 with a body": told(lambda: of("s3").put_object(Bucket="files", Key="a b", Body=b"body")),
            "S3 without one": told(lambda: of("s3").head_object(Bucket="files", Key="a")),
            "rest-xml": told(lambda: of("route53").list_hosted_zones()),
        }
    )
)
