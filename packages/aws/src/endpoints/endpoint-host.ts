import type { AwsTarget } from '#endpoints/aws-target.ts';
import type { RequestHead } from '#requests/aws-request.ts';
import type { Refusal } from '#refusals/refusal.ts';

/** In endpoint mode the client names no host: `service` and `region` are of its verified scope. */
export type EndpointHostInput = Omit<RequestHead, 'host'> & { readonly region: string };
export type EndpointHost = (input: EndpointHostInput) => AwsTarget | Refusal;
