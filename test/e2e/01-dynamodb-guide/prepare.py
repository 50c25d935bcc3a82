"""Tables to work on, made through the tunnel like everything else."""
import sys

import boto3

ddb = boto3.client("dynamodb", endpoint_url=sys.argv[1], region_name="us-east-1")
key = {"AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}], "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}], "BillingMode": "PAY_PER_REQUEST"}
for name in ("table1", "table2", "table3", "pages"):
    ddb.create_table(TableName=name, **key)
ddb.create_table(TableName="streamed", StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"}, **key)
for name in ("table1", "table2", "table3", "pages", "streamed"):
    ddb.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 30})
for start in range(0, 50, 25):
    puts = [{"PutRequest": {"Item": {"id": {"S": f"item-{n:03}"}, "text": {"S": "lorem ipsum " * 20}}}} for n in range(start, start + 25)]
    ddb.batch_write_item(RequestItems={"pages": puts})
