import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { printSchema } from 'graphql';
import { schema } from './schema.ts';

/** The content of `schema.graphql`. */
export function schemaText(): string {
  return `# Printed from the code by \`npm run schema\`; never edited by hand.\n\n${printSchema(schema)}\n`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await writeFile(process.argv[2] ?? 'schema.graphql', schemaText());
}
