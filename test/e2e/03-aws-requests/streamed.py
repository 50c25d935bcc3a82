"""
Answers that are streams of events, as boto3 reads them. Prints a JSON object: of each case the text of the events, and when each was
read, in seconds after the head of the answer.
"""
import json
import sys
import time

import boto3
from botocore.config import Config

# A local port has no name that something could be put in front of.
settings = Config(retries={"total_max_attempts": 1}, inject_host_prefix=False, s3={"addressing_style": "path"})


def of(service):
    return boto3.client(service, config=settings if sys.argv[1] == "tsh up" else Config(retries={"total_max_attempts": 1}))


def function():
    answer = of("lambda").invoke_with_response_stream(FunctionName="echo", Payload=b"0123456789")
    return answer["EventStream"], lambda event: event.get("PayloadChunk", {}).get("Payload", b"").decode()


def model():
    said = [{"role": "user", "content": [{"text": "say all of this after me, word by word"}]}]
    answer = of("bedrock-runtime").converse_stream(modelId="anthropic.claude-v2:1", messages=said)
    return answer["stream"], lambda event: event.get("contentBlockDelta", {}).get("delta", {}).get("text", "")


def select():
    s3 = of("s3")
    csv = {"CSV": {}}
    answer = s3.select_object_content(
        Bucket="selected",
        Key="lines",
        Expression="SELECT * FROM s3object",
        ExpressionType="SQL",
        InputSerialization=csv,
        OutputSerialization=csv,
    )
    return answer["Payload"], lambda event: event.get("Records", {}).get("Payload", b"").decode()


def tail():
    group = "arn:aws:logs:us-east-1:123456789012:log-group:door"
    answer = of("logs").start_live_tail(logGroupIdentifiers=[group])
    return answer["responseStream"], lambda event: "".join(
        line["message"] for line in event.get("sessionUpdate", {}).get("sessionResults", [])
    )


told = {}
for case in sys.argv[2:]:
    stream, text = globals()[case]()
    started = time.monotonic()
    read = [[text(event), time.monotonic() - started] for event in stream]
    told[case] = {"text": [said for said, _ in read], "seconds": [at for _, at in read]}
print(json.dumps(told))
