"""sign-with-botocore.py COUNT SEED: random requests as botocore signs them, one JSON object a line, for the test to verify.

Each is as it would stand on the wire: method, path, query, flat headers, SHA-256 of the body, and the moment of the signature. Half of
those of S3 are pre-signed. botocore is the oracle here, so nothing of a signature is computed in this file.
"""

import datetime
import hashlib
import json
import random
import sys
from urllib.parse import quote, urlsplit

import botocore.auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

COUNT, SEED = int(sys.argv[1]), int(sys.argv[2])
CREDENTIALS = Credentials('AKIAIOSFODNN7EXAMPLE', 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY')
LETTERS = "abzAZ09-._~!$&'()*+,;=:@ /%üà€"
HOST = 'service.example.amazonaws.com'
chance = random.Random(SEED)


def word(least=0):
    return ''.join(chance.choice(LETTERS) for _ in range(chance.randint(least, 8)))


def request_of(service, is_presigned):
    segments = [chance.choice([quote(word(), safe=''), '', '.', '..', 'a%2Fb', "!'()*"]) for _ in range(chance.randint(0, 4))]
    path = '/' + '/'.join(segments)
    # botocore signs the query of a URL as it stands, so it stands sorted and encoded
    pairs = sorted((quote(word(1), safe='-_.~'), quote(word(), safe='-_.~')) for _ in range(chance.randint(0, 3)))
    query = '&'.join(f'{name}={value}' for name, value in pairs)
    headers = {name: quote(word(), safe=' ') + chance.choice(['', '  x', '\tx']) for name in chance.sample(['x-amz-meta-a', 'range', 'content-md5'], 2)}
    method = chance.choice(['GET', 'PUT', 'POST', 'DELETE'])
    # the body of a pre-signed request would be read as parameters of a form
    body = word().encode() if method in ('PUT', 'POST') and not is_presigned else b''
    url = f'https://{HOST}{path}' + (f'?{query}' if query else '')
    request = AWSRequest(method=method, url=url, data=body, headers=headers)
    request.context['client_config'] = None
    if service == 's3':
        request.context['payload_signing_enabled'] = chance.random() < 0.5
    return request, body


def main():
    for _ in range(COUNT):
        service = chance.choice(['s3', 's3', 'sts', 'lambda', 'execute-api'])
        region = chance.choice(['us-east-1', 'eu-central-1', 'cn-north-1'])
        moment = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc) + datetime.timedelta(seconds=chance.randint(0, 10**7))
        botocore.auth.get_current_datetime = lambda remove_tzinfo=True, moment=moment: moment.replace(tzinfo=None)
        is_presigned = service == 's3' and chance.random() < 0.5
        request, body = request_of(service, is_presigned)
        if is_presigned:
            botocore.auth.S3SigV4QueryAuth(CREDENTIALS, service, region, expires=chance.randint(1, 604800)).add_auth(request)
        elif service == 's3':
            botocore.auth.S3SigV4Auth(CREDENTIALS, service, region).add_auth(request)
        else:
            botocore.auth.SigV4Auth(CREDENTIALS, service, region).add_auth(request)
        raw = request.url[len(f'https://{HOST}'):]
        path, _, query = raw.partition('?')
        signed = query if is_presigned else request.headers['Authorization']
        headers = [text for pair in request.headers.items() for text in pair]
        assert urlsplit(request.url).netloc == HOST
        print(json.dumps({
            'method': request.method,
            'path': path or '/',
            'query': query,
            'headers': ['Host', HOST, 'Content-Length', str(len(body)), *headers],
            'bodySha256': hashlib.sha256(body).hexdigest(),
            'nowMs': int(moment.timestamp() * 1000),
            'signature': signed.rpartition('Signature=')[2],
        }))


main()
