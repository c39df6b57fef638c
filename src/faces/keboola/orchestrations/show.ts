import type { NotificationRule, OrchestrationView, TaskDefinition } from '../../../orchestrate/index.ts';
import { showTime } from '../times.ts';

/** Makes the address of a path of this face. */
type Uri = (path: string) => string;

/** An orchestration without its tasks, as lists show it; all keys but those of our own settings are always there (5.1). */
export function showSummary(view: OrchestrationView, uri: Uri) {
  const { token, lastJob } = view;
  return {
    id: view.id,
    name: view.name,
    crontabRecord: view.crontabRecord,
    createdTime: showTime(view.createdTime),
    lastScheduledTime: showTime(view.lastScheduledTime),
    nextScheduledTime: showTime(view.nextScheduledTime),
    active: view.active,
    token: { id: token.id, description: token.description, ...(token.isDisabled && { isDisabled: true }) },
    uri: uri(`/orchestrations/${view.id}`),
    notifications: view.notifications.map(showNotification),
    lastExecutedJob: lastJob && {
      id: lastJob.number,
      status: lastJob.status,
      startTime: showTime(lastJob.startTime),
      endTime: showTime(lastJob.endTime),
      createdTime: showTime(lastJob.createdTime),
      initializedBy: lastJob.initializedBy,
    },
    ...showOwnSettings(view),
  };
}

export function showDetail(view: OrchestrationView, uri: Uri) {
  return { ...showSummary(view, uri), tasks: view.tasks.map(showTask) };
}

/** Settings that the original does not have appear where they are not the usual ones: strict clients see what they know. */
function showOwnSettings({ zone, overlap, catchUp }: OrchestrationView) {
  return {
    ...(zone !== 'UTC' && { zone }),
    ...(overlap !== 'coalesce' && { overlap }),
    ...(catchUp !== 'one' && { catchUp }),
  };
}

/** Clients read from the keys that are there which variant a task is: those of the other one are absent, not null. */
export function showTask(task: TaskDefinition) {
  const target =
    task.component === undefined
      ? { componentUrl: task.componentUrl }
      : { component: task.component, action: task.action };
  return {
    id: task.id,
    ...target,
    actionParameters: task.actionParameters,
    continueOnFailure: task.continueOnFailure,
    timeoutMinutes: task.timeoutMinutes,
    active: task.active,
    phase: task.phase,
  };
}

export function showNotification({ email, channel, parameters }: NotificationRule) {
  return { email, channel, parameters };
}
