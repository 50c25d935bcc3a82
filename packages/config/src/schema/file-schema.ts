import { z } from 'zod';
import { appSection, dbSection } from '#schema/agent-sections.ts';
import { authSection } from '#schema/auth-section.ts';
import { checkWhole } from '#schema/check-whole.ts';
import { otherSections } from '#schema/other-sections.ts';
import { proxySection } from '#schema/proxy-section.ts';
import { type ReadFile, teleportSection } from '#schema/teleport-section.ts';

function wholeFile(readFile: ReadFile) {
  return z.strictObject({
    version: z.enum(['v1', 'v2', 'v3']).optional(),
    teleport: teleportSection(readFile).nullish(),
    auth_service: authSection.nullish(),
    proxy_service: proxySection.nullish(),
    db_service: dbSection.nullish(),
    app_service: appSection.nullish(),
    ...otherSections,
  });
}

export type FileInput = z.output<ReturnType<typeof wholeFile>>;

export function fileSchema(readFile: ReadFile): z.ZodType<FileInput> {
  return wholeFile(readFile).superRefine(checkWhole);
}
