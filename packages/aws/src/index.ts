// The whole surface (nothing here knows of gRPC or of the cluster):
//   signRequest(input: SignInput, key: SigningKey): SignedHeaders     SigV4 of one request; 6 µs or less
//   SigningKeys (bounded cache): for(credentials, {date, region, service}): SigningKey    derived key as KeyObject, dropped with its credentials
//   partitionOf(region): Partition | undefined;  dynamodbHost({service: 'dynamodb' | 'streams', region, accountId?}): string    built from tables
//   resolveDynamoDbUri(uri): {region?, service?} | refusal            for validating `uri` of a database
//   roleArn({principal, region, accountId}): {arn, spellings: string[]} | refusal     teleport-behaviour 1.6
//   sessionName(user): string        legal and collision-free: characters outside [\w+=,.@-] and over-long names get a hash suffix
//   agentCredentials({env, logger}): CredentialSource     the chain of aws.md 5.4, built explicitly; region rules too
//   AssumeRoleCache: credentialsFor({roleArn, sessionName, tags, sourceIdentity, externalId, chain, region}): Promise<Credentials>
//                    single flight, early refresh, negative cache, bounded, STS by partition, AWS_ENDPOINT_URL[_STS] honoured,
//                    falls back once (with a warning) without tags or source identity where the role's trust refuses them
//   dynamodbOperation(target: string): {service, operation, class} | undefined     the 57 + 4 table, exact match
//   tablesOf(operation, body: Buffer): {tables, refusal?}    strict JSON (duplicate keys, depth), ARNs, PartiQL
//   dynamodbRefusal({code, message, status, requestId}): {status, headers, body}     aws.md 4.6
export {};
