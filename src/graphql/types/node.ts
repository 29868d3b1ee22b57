import { z } from 'zod';
import { typeOfId } from '../../domain/ids.ts';
import type { JobView } from '../../domain/job-view.ts';
import type { QueueView } from '../../domain/queue-view.ts';
import { validate } from '../../domain/validate.ts';
import type { UploadView } from '../../uploads/create-upload.ts';
import { builder } from '../builder.ts';
import type { GraphQLContext } from '../context.ts';
import { costOfPage } from '../limits.ts';

const MAX_NODES = 100;
const NodeIds = z.array(z.string()).max(MAX_NODES);

async function loadNode(
  id: string,
  { loaders }: GraphQLContext,
): Promise<JobView | UploadView | QueueView | null> {
  switch (typeOfId(id)) {
    case 'Job':
      return loaders.job.load(id);
    case 'Upload':
      return loaders.upload.load(id);
    case 'Queue':
      return loaders.queue.load(id);
    default:
      return null;
  }
}

builder.queryFields((t) => ({
  node: t.field({
    type: builder.nodeInterfaceRef(),
    nullable: true,
    description: 'Any object by its id; null when there is none.',
    args: { id: t.arg.id({ required: true, description: 'Id of the object.' }) },
    resolve: (_root, { id }, context) => loadNode(id, context),
  }),
  nodes: t.field({
    type: [builder.nodeInterfaceRef()],
    nullable: { list: false, items: true },
    description: 'Up to 100 objects, in the order of the ids; null where there is none.',
    args: { ids: t.arg.idList({ required: true, description: 'Ids of the objects; at most 100.' }) },
    complexity: ({ ids }) => costOfPage(ids.length, MAX_NODES),
    resolve: (_root, { ids }, context) =>
      Promise.all(validate(NodeIds, ids, ['ids']).map((id) => loadNode(id, context))),
  }),
}));
