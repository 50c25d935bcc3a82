import { readFileSync } from 'node:fs';
import { callUnary, PosternError, ResourcesService } from '@postern/api';
import { parseDocuments, type Resource } from '@postern/resources';
import { misspeltArns } from '#access/misspelt-arns.ts';
import { type AdminOptions, asAdministrator } from '#connection/administrator.ts';
import { titleOf } from '#resources/resource-ref.ts';
import { say, warn } from '@postern/terminal/output';
import { UsageError } from '@postern/terminal/usage-error';

const MAX_BYTES = 4 * 1024 * 1024;

/** Every document is parsed before the first is sent: a mistake in the second leaves nothing of the first behind. */
export async function createResources(
  options: AdminOptions,
  input: { readonly file: string | undefined; readonly force: boolean },
): Promise<void> {
  const { name, text } = await readInput(input.file);
  const documents = parseDocuments(text, { file: name });
  if (documents.length === 0) throw new UsageError(`${name}: there is no resource in it`);
  for (const { resource, line } of documents) for (const problem of misspeltArns(arnsOf(resource))) warn(`${name}:${line}: ${problem}`);
  await asAdministrator(options, async ({ client }) => {
    for (const { resource } of documents) {
      const request = { kind: resource.kind, json: Buffer.from(JSON.stringify(resource)) };
      const title = titleOf(resource.kind, resource.metadata.name);
      if (input.force) {
        const { created } = await callUnary(client, ResourcesService.putResource, request);
        process.stdout.write(`${title} has been ${created ? 'created' : 'updated'}\n`);
        if (created) sayWhatIsMissing(resource);
      } else {
        await callUnary(client, ResourcesService.createResource, request).catch((error: unknown) => {
          const exists = error instanceof PosternError && error.code === 'already_exists';
          throw exists
            ? new PosternError('already_exists', `${title} already exists: use tctl create -f to replace it`, { cause: error })
            : error;
        });
        process.stdout.write(`${title} has been created\n`);
        sayWhatIsMissing(resource);
      }
    }
  });
}

/** A resource holds no password. */
function sayWhatIsMissing({ kind, metadata }: Resource): void {
  if (kind === 'user') say(`${metadata.name} cannot sign in yet: tctl users reset ${metadata.name} sets a password`);
}

function arnsOf(resource: Resource): readonly string[] {
  if (resource.kind === 'user') return resource.spec.traits?.['aws_role_arns'] ?? [];
  if (resource.kind !== 'role') return [];
  const { allow, deny } = resource.spec;
  return [...(allow?.aws_role_arns ?? []), ...(deny?.aws_role_arns ?? [])];
}

async function readInput(file: string | undefined): Promise<{ name: string; text: string }> {
  if (file !== undefined && file !== '-') return { name: file, text: readText(file) };
  if (file === undefined && process.stdin.isTTY) throw new UsageError('give a file, or the resources on standard input');
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of process.stdin) {
    chunks.push(chunk as Buffer);
    bytes += (chunk as Buffer).length;
    if (bytes > MAX_BYTES) throw new UsageError(`standard input is longer than ${MAX_BYTES} bytes`);
  }
  return { name: 'standard input', text: Buffer.concat(chunks).toString('utf8') };
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const why = code === 'ENOENT' ? 'there is no such file' : (code ?? String(error));
    throw new PosternError('bad_request', `cannot read ${file}: ${why}`, { cause: error });
  }
}
