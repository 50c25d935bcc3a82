import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { callUnary, PosternError, ResourcesService } from '@postern/api';
import { parseDocuments, type Resource, toYaml } from '@postern/resources';
import { type AdminOptions, asAdministrator } from '#connection/administrator.ts';
import { parseNamedRef, titleOf } from '#resources/resource-ref.ts';
import { messageOf } from '@postern/terminal/run-program';

/** Written back only where nobody else has written in between: the revision that was read goes along. */
export async function editResource(options: AdminOptions, text: string): Promise<void> {
  const { kind, name } = parseNamedRef(text);
  await asAdministrator(options, async ({ client }) => {
    const { json, revision } = await callUnary(client, ResourcesService.getResource, { kind, name, withSecrets: false });
    const before = toYaml([JSON.parse(json.toString('utf8')) as Resource]);
    const directory = mkdtempSync(join(tmpdir(), 'tctl-edit-'));
    const file = join(directory, `${kind}.yaml`);
    writeFileSync(file, before, { mode: 0o600 });
    await runEditor(file).catch((error: unknown) => {
      if (readFileSync(file, 'utf8') === before) rmSync(directory, { recursive: true });
      throw error;
    });
    const after = readFileSync(file, 'utf8');
    if (after === before) {
      rmSync(directory, { recursive: true });
      process.stdout.write('edit canceled, no changes made\n');
      return;
    }
    try {
      const resource = onlyOne(after, file);
      if (resource.kind !== kind || resource.metadata.name !== name) {
        throw new PosternError(
          'bad_request',
          `kind and name cannot be edited: ${titleOf(kind, name)} became ${titleOf(resource.kind, resource.metadata.name)}`,
        );
      }
      const written = { ...resource, metadata: { ...resource.metadata, revision } };
      await callUnary(client, ResourcesService.updateResource, { kind, json: Buffer.from(JSON.stringify(written)) });
    } catch (error) {
      const code = error instanceof PosternError ? error.code : 'bad_request';
      throw new PosternError(code, `${messageOf(error)}\nnothing was changed; what you wrote is kept in ${file}`, { cause: error });
    }
    rmSync(directory, { recursive: true });
    process.stdout.write(`${titleOf(kind, name)} has been updated\n`);
  });
}

function onlyOne(text: string, file: string): Resource {
  const [first, second] = parseDocuments(text, { file });
  if (first === undefined || second !== undefined) throw new PosternError('bad_request', 'leave exactly one resource in the file');
  return first.resource;
}

/** "code --wait" is a program and its arguments; no shell reads the value. */
function runEditor(file: string): Promise<void> {
  const { TELEPORT_EDITOR, VISUAL, EDITOR } = process.env;
  const [program = 'vi', ...args] = (TELEPORT_EDITOR ?? VISUAL ?? EDITOR ?? 'vi').split(/\s+/).filter((part) => part !== '');
  return new Promise((resolve, reject) => {
    const child = spawn(program, [...args, file], { stdio: 'inherit' });
    child.on('error', (error) =>
      reject(new PosternError('bad_request', `cannot start the editor ${program}: ${error.message}; set EDITOR to one that there is`)),
    );
    child.on('exit', (code) =>
      code === 0 ? resolve() : reject(new PosternError('bad_request', `the editor ${program} ended with ${code}: nothing was changed`)),
    );
  });
}
