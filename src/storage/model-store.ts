import type { ModelView } from '../domain/queue-view.ts';
import { ENGINES, type Engine } from '../domain/vocabulary.ts';
import type { Database } from './database.ts';

export type ModelStore = ReturnType<typeof createModelStore>;

/** The models that workers announced, kept so that a submit can be checked while no worker is up. */
export function createModelStore(database: Database) {
  return {
    /** Those of the last 30 days, by engine, each engine's default first. */
    async known(): Promise<readonly ModelView[]> {
      const rows: { engine: Engine; name: string; languages: string[]; is_default: boolean }[] =
        await database.query(`SELECT engine, name, languages, is_default FROM models
          WHERE last_seen_at > now() - interval '30 days' ORDER BY engine, is_default DESC, name`);
      return rows
        .map(({ is_default: isDefault, ...model }) => ({ ...model, isDefault }))
        .sort((a, b) => ENGINES.indexOf(a.engine) - ENGINES.indexOf(b.engine));
    },

    async seen(models: readonly ModelView[], at: Date): Promise<void> {
      for (const model of models) {
        await database.query(
          `INSERT INTO models (engine, name, languages, is_default, last_seen_at) VALUES ($1, $2, $3, $4, $5)
           ON CONFLICT (engine, name) DO UPDATE
             SET languages = excluded.languages, is_default = excluded.is_default, last_seen_at = excluded.last_seen_at`,
          [model.engine, model.name, model.languages, model.isDefault, at],
        );
      }
    },
  };
}
