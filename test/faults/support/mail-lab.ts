import { createNotify } from '../../../src/notify/index.ts';
import { createLab, type Lab, type LabOptions } from '../../../src/orchestrate/lab.test-support.ts';

/** Orchestrations whose messages go out by a real mail server. */
export function createMailLab(options: LabOptions): Promise<Lab> {
  return createLab({
    ...options,
    teller(rooms) {
      const notify = createNotify({
        ...rooms,
        publish: rooms.engine.publish,
        postWebhook: () => Promise.reject(new Error('nobody is called here')),
      });
      return { messages: notify, deliverers: notify.deliverers, close: () => notify.close() };
    },
  });
}
