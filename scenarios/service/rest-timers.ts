import RequestQueue from "kafkajs/src/network/requestQueue/index.js";

/**
 * KafkaJS 2.2.4 arms a timer for each connection again every millisecond, for as long as it lives, to look for requests
 * that it holds back; so two consumers' worth of connections is 4,000 timers a second, and two hundred's is 400,000.
 * Spread over as many machines nobody would notice; here it would take the CPU of what is measured. It does nothing
 * while no request is held back, so that is when it is left out. Nothing else of KafkaJS is changed.
 */
export function restTimers(): void {
  const schedule = RequestQueue.prototype.scheduleCheckPendingRequests;
  RequestQueue.prototype.scheduleCheckPendingRequests = function (this: RequestQueue): void {
    if (this.pending.length > 0) schedule.call(this);
  };
}
