"""Addresses that boto3 signs with the settings of its environment; prints one JSON object."""
import json
import sys

import boto3
from botocore.config import Config

bucket, key = sys.argv[1:]
s3 = boto3.client("s3", config=Config(signature_version="s3v4", s3={"addressing_style": "path"}))
where = {"Bucket": bucket, "Key": key}
print(
    json.dumps(
        {
            "put": s3.generate_presigned_url("put_object", Params={**where, "ContentType": "text/plain"}, ExpiresIn=600),
            "post": s3.generate_presigned_post(bucket, "by-form"),
            "get": s3.generate_presigned_url("get_object", Params=where, ExpiresIn=600),
        }
    )
)
