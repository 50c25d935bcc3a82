/**
 * Names under AWS's suffixes that are nobody's but a customer's, or that carry something other than signed requests, each with what to say.
 * Whatever stands in no table is refused anyway; these are the ones that people meet.
 */
const reasons: readonly (readonly [RegExp, string])[] = [
  [
    /^(?:.+\.)?(?:signin|console)\.(?:aws\.)?amazon/,
    'signing in to the console is not a signed request; open the console from the web page',
  ],
  [/^(?:.+\.)?console\.aws\./, 'the console is not reached by signed requests; open it from the web page'],
  [/\.dkr[.-]ecr(?:-fips)?\./, 'registries take a password of their own, not a signature; get one with ecr GetAuthorizationToken'],
  [/\.d\.codeartifact\./, 'CodeArtifact repositories take a bearer token of their own, not a signature'],
  [/^git-codecommit(?:-fips)?\./, 'git over CodeCommit signs a password on the client, which cannot be signed again'],
  [/\.eks\.amazonaws\./, 'a cluster of EKS takes a token that is signed on the client, not a signed request'],
  [/\.execute-api\./, 'APIs of API Gateway belong to customers; an application serves those that its aws.own_hosts name'],
  [/\.lambda-url\./, 'function URLs belong to customers'],
  [
    /\.(?:es|aoss|aos)\.(?:amazonaws|on)\./,
    'OpenSearch domains and collections belong to customers; an application serves those that its aws.own_hosts name',
  ],
  [/\.vpce\./, 'VPC endpoints belong to customers'],
  [/\.s3-website[.-]/, 'web sites in S3 take no signature'],
  [/\.credentials\.iot\./, 'the credentials provider of IoT takes a device certificate and hands out keys'],
  [/\.iot\./, 'the endpoint of IoT of one account is reached as data-ats.iot of the region'],
  [
    /\.(?:elb|compute(?:-1)?|compute-internal|rds|cache|redshift|awsapprunner|cloudsearch|neptune-graph|docdb|kafka)\./,
    'it belongs to a customer',
  ],
  [/\.on\.aws$/, 'hosts under on.aws belong to customers'],
  [/\.cloudfront\.net$/, 'distributions belong to customers'],
];

export function foreignHost(host: string): string | undefined {
  return reasons.find(([shape]) => shape.test(host))?.[1];
}
