import type { ModelView } from '../../domain/queue-view.ts';
import { builder } from '../builder.ts';
import { EngineEnum } from './job-enums.ts';

const TIERS = ['FREE', 'PRO', 'PAYG'] as const;

export const TierEnum = builder.enumType('Tier', {
  description: 'What an account has paid for. One machine of your own has no tiers: all are alike.',
  values: {
    FREE: { description: 'Free of charge.' },
    PRO: { description: 'By subscription.' },
    PAYG: { description: 'Pay as you go.' },
  } as const satisfies Record<(typeof TIERS)[number], { readonly description: string }>,
});

const ModelRef = builder.objectRef<ModelView>('Model').implement({
  description: 'A model that `submitJob` can name.',
  fields: (t) => ({
    name: t.exposeString('name', { description: 'What to give as `model`.' }),
    engine: t.expose('engine', { type: EngineEnum, description: 'The engine that runs it.' }),
    languages: t.field({
      type: ['LanguageTag'],
      description: 'Languages it knows; empty when it does not say.',
      resolve: (model) => [...model.languages],
    }),
    isDefault: t.exposeBoolean('isDefault', {
      description: 'Whether its engine uses it when no model is named.',
    }),
    tiers: t.field({ type: [TierEnum], description: 'Tiers that may use it.', resolve: () => [...TIERS] }),
    deprecatedOn: t.field({
      type: 'DateTime',
      nullable: true,
      description: 'From when on it is no longer advised; null while it is.',
      resolve: () => null,
    }),
  }),
});

builder.queryField('models', (t) =>
  t.field({
    type: [ModelRef],
    description: 'Models that the workers of today have.',
    resolve: async (_root, _args, { api }) => [...(await api.models.list())],
  }),
);
