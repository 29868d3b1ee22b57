import type { ModelView } from '../../domain/queue-view.ts';
import { builder } from '../builder.ts';
import { EngineEnum } from './job-enums.ts';

const TIERS = ['FREE', 'PRO', 'PAYG'] as const;

export const TierEnum = builder.enumType('Tier', {
  description: 'Tier of an account. A self-hosted service has no tiers; all accounts are equal.',
  values: {
    FREE: { description: 'Free of charge.' },
    PRO: { description: 'Subscription.' },
    PAYG: { description: 'Pay as you go.' },
  } as const satisfies Record<(typeof TIERS)[number], { readonly description: string }>,
});

const ModelRef = builder.objectRef<ModelView>('Model').implement({
  description: 'Model that `submitJob` accepts.',
  fields: (t) => ({
    name: t.exposeString('name', { description: 'Name to pass as `model`.' }),
    engine: t.expose('engine', { type: EngineEnum, description: 'Engine of the model.' }),
    languages: t.field({
      type: ['LanguageTag'],
      description: 'Supported languages; empty when unknown.',
      resolve: (model) => [...model.languages],
    }),
    isDefault: t.exposeBoolean('isDefault', {
      description: 'Whether the engine uses it by default.',
    }),
    tiers: t.field({
      type: [TierEnum],
      description: 'Tiers that may use the model.',
      resolve: () => [...TIERS],
    }),
    deprecatedOn: t.field({
      type: 'DateTime',
      nullable: true,
      description: 'Time from which on the model is deprecated; null when it is not.',
      resolve: () => null,
    }),
  }),
});

builder.queryField('models', (t) =>
  t.field({
    type: [ModelRef],
    description: 'Models that workers had in the last 30 days.',
    resolve: async (_root, _args, { api }) => [...(await api.models.list())],
  }),
);
