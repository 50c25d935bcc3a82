"""Operations that take no signature, or carry one of their own within, as boto3 makes them; prints one JSON object."""
import json

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

settings = Config(retries={"total_max_attempts": 1})


def told(call):
    try:
        call()
    except ClientError as error:
        return [error.response["Error"]["Code"], error.response["Error"].get("Message", "")]
    return ["none", "not refused"]


def of(service):
    return boto3.client(service, config=settings)


role = "arn:aws:iam::123456789012:role/ExampleTeleportDynamoDBRole"
print(
    json.dumps(
        {
            "cognito": told(lambda: of("cognito-idp").sign_up(ClientId="client", Username="user", Password="Passw0rd!")),
            "identity": told(lambda: of("cognito-identity").get_credentials_for_identity(IdentityId="us-east-1:" + "0" * 36)),
            "sts": told(
                lambda: of("sts").assume_role_with_web_identity(
                    RoleArn=role, RoleSessionName="mine", WebIdentityToken="token", DurationSeconds=43200
                )
            ),
            "sso": told(lambda: of("sso").get_role_credentials(roleName="Admin", accountId="123456789012", accessToken="token")),
            "copy": told(lambda: of("ec2").copy_snapshot(SourceRegion="eu-west-1", SourceSnapshotId="snap-1")),
            "key": told(lambda: of("iam").create_access_key(UserName="mine")),
        }
    )
)
