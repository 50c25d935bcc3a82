import { z } from 'zod';

import { kept, labels, name, time } from '#kinds/fields.ts';

export const metadata = z.strictObject({
  name,
  namespace: z.enum(['default', '']).optional(),
  description: z.string().max(1024).optional(),
  labels: labels.nullable().optional(),
  expires: time.nullable().optional(),
  revision: z.string().max(128).optional(),
  id: kept.optional(),
});
export type Metadata = z.infer<typeof metadata>;
