import type { StorageToken } from '../../../access/index.ts';
import type { Call, FaceContext } from '../route.ts';
import { showStorageTime } from '../times.ts';

/** A token without its text; ids of this part of the API are strings. */
export function showToken(token: StorageToken, { rootUri }: Pick<Call, 'rootUri'>) {
  const { creator } = token;
  return {
    id: String(token.id),
    created: showStorageTime(token.created),
    refreshed: showStorageTime(token.refreshed ?? token.created),
    description: token.description,
    uri: rootUri(`/v2/storage/tokens/${token.id}`),
    isMasterToken: token.isMaster,
    canManageBuckets: token.canManageBuckets,
    canManageTokens: token.canManageTokens,
    canReadAllFileUploads: token.canReadAllFileUploads,
    canPurgeTrash: token.canPurgeTrash,
    expires: showStorageTime(token.expires),
    isExpired: token.isExpired,
    isDisabled: token.isDisabled,
    dailyCapacity: 0,
    bucketPermissions: token.bucketPermissions,
    componentAccess: token.componentAccess,
    creatorToken: creator && { id: String(creator.id), description: creator.description },
  };
}

/** What clients read about the place where the token is valid: id, name, and how many jobs run at once. */
export function showOwner({ config }: Pick<FaceContext, 'config'>) {
  const limit = { name: 'components.jobsParallelism', value: config.parallelism };
  return {
    id: config.projectId,
    name: config.projectName,
    type: 'production',
    region: 'local',
    features: [],
    limits: { [limit.name]: limit },
    metrics: {},
    isDisabled: false,
  };
}

/** The person behind a master token. */
export function showAdmin({ userId, username, role }: StorageToken) {
  return { id: userId, name: username, role, features: [] };
}
