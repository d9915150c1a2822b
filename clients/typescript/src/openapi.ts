// Generated from the service's OpenAPI document by "npm run generate": do not edit.

export interface paths {
    "/v1/messages": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List messages
         * @description A page of messages, ordered by due_at (what is scheduled) or newest first (the rest).
         */
        get: operations["messages_list_messages"];
        put?: never;
        /**
         * Schedule a message
         * @description Store one message.
         */
        post: operations["messages_create"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/messages/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Read a message with its attempts
         * @description One message.
         */
        get: operations["messages_read"];
        put?: never;
        post?: never;
        /**
         * Cancel a scheduled message
         * @description Cancel a message.
         */
        delete: operations["messages_cancel"];
        options?: never;
        head?: never;
        /**
         * Change a scheduled message
         * @description Change what a message is, or when.
         */
        patch: operations["messages_change"];
        trace?: never;
    };
    "/v1/messages/{id}/run": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Make a scheduled message due now
         * @description Deliver a message now.
         */
        post: operations["messages_run"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/messages/batch": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Schedule up to 1,000 messages, all or none
         * @description Store many messages.
         */
        post: operations["messages_create_batch"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/schedules": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List schedules
         * @description A page of schedules: active ones soonest first, then those that are paused, then those that have ended.
         */
        get: operations["schedules_list_schedules"];
        put?: never;
        /**
         * Create a schedule
         * @description Make a message for each moment from now on.
         */
        post: operations["schedules_create"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/schedules/{schedule}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Read a schedule with its next and last runs
         * @description One schedule.
         */
        get: operations["schedules_read"];
        /**
         * Create or replace a schedule
         * @description Make it so.  What changes nothing changes nothing, the next run included.  Without paused, it stays as it is.
         */
        put: operations["schedules_put"];
        post?: never;
        /**
         * Delete a schedule
         * @description Delete a schedule and its next message.  What is in flight ends, and nothing else of it begins.
         */
        delete: operations["schedules_delete"];
        options?: never;
        head?: never;
        /**
         * Change a schedule
         * @description Change when, or what.  A change of the plan goes on with its first moment after now.
         */
        patch: operations["schedules_change"];
        trace?: never;
    };
    "/v1/schedules/{schedule}/backfill": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Make the messages of past moments
         * @description Make what has no message in a span of the past, behind what is on time.  Repeatable: no moment is made twice.
         */
        post: operations["schedules_backfill"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/schedules/{schedule}/pause": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Pause a schedule
         * @description Make no more messages until it is resumed; the next one is taken back.
         */
        post: operations["schedules_pause"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/schedules/{schedule}/resume": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Resume a schedule
         * @description Go on with the first moment after now.
         */
        post: operations["schedules_resume"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/schedules/{schedule}/run": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Run a schedule now, beside its plan
         * @description Make a message that is due now; the plan stays as it is.
         */
        post: operations["schedules_run"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/schedules/preview": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Say when a schedule would run
         * @description Takes cron or every, and stores nothing.
         */
        get: operations["schedules_preview"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/flows": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List flow keys
         * @description A page of flow keys, by name.
         */
        get: operations["flows_list_flows"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/flows/{flow_key}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Read a flow key
         * @description One flow key.
         */
        get: operations["flows_read"];
        /**
         * Pin limits of a flow key
         * @description Fix limits, whatever messages say; what was pinned before is replaced.  The key need not exist.
         */
        put: operations["flows_pin"];
        post?: never;
        /**
         * Unpin the limits of a flow key
         * @description Let messages and settings decide again.
         */
        delete: operations["flows_unpin"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/flows/{flow_key}/pause": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Pause a flow key
         * @description No message of it begins until resume, or for a while; what is in flight ends.  The key need not exist.
         */
        post: operations["flows_pause"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/flows/{flow_key}/reset": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Begin a new window for a flow key
         * @description Forget how much of the window is used, and count again what is in flight.
         */
        post: operations["flows_reset"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/flows/{flow_key}/resume": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Resume a flow key
         * @description The opposite of pause.
         */
        post: operations["flows_resume"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/destinations": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List destinations that have failed
         * @description Open ones first.  A destination that works is not listed, one that was closed for an hour.
         */
        get: operations["destinations_list_destinations"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/destinations/{destination}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Read a destination
         * @description One destination.
         */
        get: operations["destinations_read"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/destinations/{destination}/close": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Use a destination again
         * @description Attempts are made again, and failures are counted anew.  A pause that it asked for ends too.
         */
        post: operations["destinations_close_by_hand"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/destinations/{destination}/open": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Leave a destination alone
         * @description For a planned maintenance: no attempts and no probes, until it is closed.  Nothing need be known of it.
         */
        post: operations["destinations_open_by_hand"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/history": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List finished messages
         * @description A page of finished messages, newest first; all of them as CSV or NDJSON, by Accept.
         */
        get: operations["history_list_history"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/history/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Read the last finish of a message
         * @description One message with its attempts.
         */
        get: operations["history_read"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/history/{id}/redrive": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Schedule a finished message again, as a new one
         * @description Send what was sent before, now; the new message names the old one.
         */
        post: operations["history_redrive"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/history/summary": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Sum up what ended, for charts
         * @description Counts, failure rate and lateness by hour or day and by channel.
         */
        get: operations["history_summary"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/dead-letters/redrive": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Schedule many dead letters again
         * @description Redrive the oldest dead letters.
         */
        post: operations["dead_letters_redrive"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/messages/{id}/redrive": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Schedule a dead letter again
         * @description Give a dead letter a new life, its attempts reset.  One that only the history has is repeated by a new message,
         *         which names it in redriven_from.
         */
        post: operations["messages_redrive"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/pause": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Stop claiming, on all servers
         * @description No message is started until resume; accepting goes on, and what is in flight finishes.
         */
        post: operations["control_pause"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/preview": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Say when a message would be due
         * @description Takes what POST /v1/messages takes, and stores nothing.
         */
        post: operations["control_preview"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/resume": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Claim again, on all servers
         * @description The opposite of pause.
         */
        post: operations["control_resume"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/stats": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Counts, lateness, throughput, servers and Redis
         * @description The service at a glance, over all servers.
         */
        get: operations["control_stats"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/test/clock": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Move the service's clock forward
         * @description To a time, or by a delay; without either it only says what time it is.  What is due by then is delivered.
         */
        post: operations["test_clock_move"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/health": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Say whether messages are accepted and delivered
         * @description 503 when Redis is away or full, no scheduler makes progress, or messages are due and nothing has ended for a
         *         minute.
         */
        get: operations["health_health"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
}
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        /**
         * AcceptedOut
         * @description A message of a batch.
         */
        AcceptedOut: {
            /** Id */
            id: string;
            /**
             * Due At
             * Format: date-time
             * @description ISO 8601, UTC, milliseconds.
             */
            due_at: string;
        };
        /**
         * AttemptOut
         * @description One try to deliver.  Channels add evidence of their own: status_code, response, traceback.
         */
        AttemptOut: {
            /** Attempt */
            attempt: number;
            /**
             * Started At
             * Format: date-time
             * @description ISO 8601, UTC, milliseconds.
             */
            started_at: string;
            /**
             * Outcome
             * @description lost: its server stopped answering, and the lock expired.
             * @enum {string}
             */
            outcome: "delivered" | "failed" | "lost";
            /**
             * Duration Ms
             * @description Not there of a lost attempt: nobody measured it.
             */
            duration_ms?: number | null;
            /**
             * Lateness Ms
             * @description Begin of the attempt after its moment; not there of a lost one.
             */
            lateness_ms?: number | null;
            /**
             * Flow Wait Ms
             * @description The part of the lateness for which its flow key kept it back.
             */
            flow_wait_ms?: number | null;
            /**
             * Error
             * @description What went wrong; not there of one that delivered.
             */
            error?: string | null;
        };
        /**
         * AttemptsOut
         * @description Attempts of all servers, counted from the first one that failed.
         */
        AttemptsOut: {
            /** Began At */
            began_at: string | null;
            /** Attempts */
            attempts: number;
            /** Failures */
            failures: number;
        };
        /**
         * BackfillIn
         * @description A span of the past, both ends inclusive.
         */
        BackfillIn: {
            /**
             * From
             * @description The moment: epoch seconds or milliseconds (from 1e8 on; below 1e11 it is seconds), as number or numeric string; ISO 8601; RFC 2822; or what JavaScript's Date writes. Without an offset it is UTC, unless timezone is given.
             * @example 2027-01-01T09:00:00Z
             */
            from: number | string;
            /**
             * To
             * @description The moment: epoch seconds or milliseconds (from 1e8 on; below 1e11 it is seconds), as number or numeric string; ISO 8601; RFC 2822; or what JavaScript's Date writes. Without an offset it is UTC, unless timezone is given.
             * @example 2027-01-01T09:00:00Z
             */
            to: number | string;
            /**
             * Timezone
             * Format: iana-time-zone
             * @description IANA name of the zone in which a time without an offset is meant.
             * @default null
             * @example Europe/Berlin
             */
            timezone?: string | null;
            /**
             * Limit
             * @description Moments at most; default 1,000.
             */
            limit?: number | null;
            /**
             * Dry Run
             * @description Only say what it would make.
             */
            dry_run?: boolean | null;
        };
        /**
         * BackfillOut
         * @description What a backfill made.
         */
        BackfillOut: {
            /**
             * Runs
             * @description Moments of the plan in the span, up to the limit.
             */
            runs: number;
            /**
             * Made
             * @description Messages that were made; not there for a dry run.
             */
            made?: number | null;
            /**
             * Would Make
             * @description Only there for a dry run, which changes nothing.
             */
            would_make?: number | null;
            /**
             * Existing
             * @description Moments that have a message already.
             */
            existing: number;
            /**
             * More
             * @description The span has more moments: ask again from behind last.
             */
            more: boolean;
            /**
             * First
             * Format: date-time
             * @description ISO 8601, UTC, milliseconds.
             */
            first: string | null;
            /**
             * Last
             * Format: date-time
             * @description ISO 8601, UTC, milliseconds.
             */
            last: string | null;
        };
        /**
         * BatchIn
         * @description Messages that are accepted together: all or none.
         */
        BatchIn: {
            /** Messages */
            messages: components["schemas"]["MessageIn"][];
        };
        /**
         * BatchOut
         * @description What became of a batch, in its order.
         */
        BatchOut: {
            /** Accepted */
            accepted: number;
            /** Messages */
            messages: components["schemas"]["AcceptedOut"][];
        };
        /**
         * BreakerListOut
         * @description Open ones first, then those that changed last.
         */
        BreakerListOut: {
            /** Destinations */
            destinations: components["schemas"]["BreakerOut"][];
            /**
             * More
             * @description Whether there are others beyond limit.
             */
            more: boolean;
        };
        /**
         * BreakerOut
         * @description A destination of webhooks that has failed lately, asked for a pause, or was opened by hand.
         */
        BreakerOut: {
            /**
             * Id
             * @description Scheme, host and port, such as https:api.example.com:443.
             */
            id: string;
            /**
             * State
             * @description open: no attempts but one probe every so often; half_open: a probe is under way.
             * @enum {string}
             */
            state: "closed" | "open" | "half_open";
            /**
             * By Hand
             * @description Opened by hand: no probes either.
             */
            by_hand: boolean;
            /**
             * Failures
             * @description Failed attempts in a row.
             */
            failures: number;
            /** Failing Since */
            failing_since: string | null;
            window: components["schemas"]["AttemptsOut"];
            /** Last Error */
            last_error: string | null;
            /** Opened At */
            opened_at: string | null;
            /** Closed At */
            closed_at: string | null;
            /** Next Probe At */
            next_probe_at: string | null;
            /** Probe Interval Ms */
            probe_interval_ms: number | null;
            /**
             * Held Until
             * @description Until when the endpoint asked for a pause (429, 503).
             */
            held_until: string | null;
            /** Note */
            note: string | null;
            /** Updated At */
            updated_at: string;
        };
        /**
         * CatchUpOut
         * @description What is made of moments that were missed.
         */
        CatchUpOut: {
            /**
             * Policy
             * @enum {string}
             */
            policy: "none" | "latest" | "all";
            /** Window */
            window: string;
            /** Limit */
            limit: number;
        };
        /**
         * ClockOut
         * @description The service's clock, which tests may move.
         */
        ClockOut: {
            /**
             * Now
             * Format: date-time
             * @description ISO 8601, UTC, milliseconds.
             */
            now: string;
            /** Now Ms */
            now_ms: number;
            /**
             * Moved Ms
             * @description How far it is ahead of Redis's.
             */
            moved_ms: number;
        };
        /**
         * CountersOut
         * @description Runs since the schedule was created.
         */
        CountersOut: {
            /** Made */
            made: number;
            /** Delivered */
            delivered: number;
            /** Dead */
            dead: number;
            /** Cancelled */
            cancelled: number;
            /** Caught Up */
            caught_up: number;
            skipped: components["schemas"]["SkippedOut"];
        };
        /**
         * DestinationNoteIn
         * @description Why somebody opens or closes a circuit breaker by hand.
         */
        DestinationNoteIn: {
            /** Note */
            note?: string | null;
        };
        /**
         * DestinationOut
         * @description A destination that takes no more for now.
         */
        DestinationOut: {
            /**
             * Destination
             * @description host:port
             */
            destination: string;
            /**
             * Put Off
             * @description Times that a message for it was put off within the last minute.
             */
            put_off: number;
            /**
             * Oldest Age Ms
             * @description For how long the first of these messages had been due.
             */
            oldest_age_ms: number;
        };
        /**
         * FlowCounts
         * @description Flow keys, and the messages that are due and have one.
         */
        FlowCounts: {
            /** Keys */
            keys: number;
            /**
             * Waiting
             * @description Those of due that have a flow key.
             */
            waiting: number;
            /**
             * Oldest Age Ms
             * @description For how long the first of them has been due.
             */
            oldest_age_ms: number | null;
        };
        /**
         * FlowOut
         * @description A flow key as it is now.
         */
        FlowOut: {
            /** Key */
            key: string;
            /**
             * Scheduled
             * @description Messages that wait for their moment, or for the key.
             */
            scheduled: number;
            /**
             * Waiting
             * @description Those of scheduled that are due.
             */
            waiting: number;
            /** In Flight */
            in_flight: number;
            limits: components["schemas"]["LimitsOut"];
            sources: components["schemas"]["SourcesOut"];
            /**
             * WindowOut
             * @description The window of the rate that runs.
             */
            window: {
                /**
                 * Used
                 * @description Attempts that began in it.
                 */
                used: number;
                /** Ends At */
                ends_at: string;
            } | null;
            /** Paused */
            paused: boolean;
            /**
             * Paused Until
             * @description Null: not paused, or until it is resumed.
             */
            paused_until: string | null;
            /**
             * Oldest Due At
             * @description Since when the first of waiting is due.
             */
            oldest_due_at: string | null;
            /**
             * Next At
             * @description From when a message may go; null when none waits, the key is full, or paused until it is resumed.
             */
            next_at: string | null;
        };
        /**
         * FlowPageOut
         * @description One page of flow keys, by name.
         */
        FlowPageOut: {
            /** Flows */
            flows: components["schemas"]["FlowOut"][];
            /** Next Cursor */
            next_cursor: string | null;
        };
        /**
         * FlowPauseIn
         * @description Until when.
         */
        FlowPauseIn: {
            /**
             * Delay
             * @description For how long, in the forms of a message's delay; until it is resumed when left out.
             * @default null
             * @example 10m
             */
            delay?: unknown;
        };
        /**
         * HealthOut
         * @description The service can accept and deliver.
         */
        HealthOut: {
            /**
             * Status
             * @enum {string}
             */
            status: "success";
            /**
             * Message
             * @enum {string}
             */
            message: "server is ok!";
            /**
             * Schedulers
             * @description Scheduler processes that make progress.
             */
            schedulers: number;
            /** Paused */
            paused: boolean;
            /**
             * Partitions Away
             * @description Parts of a Redis Cluster that do not answer; the others go on.
             */
            partitions_away: number;
            /**
             * Warnings
             * @description Lanes with messages that are due and that no living server serves.
             */
            warnings: string[];
        };
        /**
         * HeldBackOut
         * @description Messages that are due and were put off, because their destination had no room.
         */
        HeldBackOut: {
            /** Messages */
            messages: number;
            /** Oldest Age Ms */
            oldest_age_ms: number | null;
            /**
             * Destinations
             * @description At most 20, those that put off most first.
             */
            destinations: components["schemas"]["DestinationOut"][];
        };
        /**
         * HistoryPoint
         * @description Ten seconds of the whole service.
         */
        HistoryPoint: {
            /**
             * At
             * @description When they began, ms since the epoch.
             */
            at: number;
            /** Accepted */
            accepted: number;
            /** Delivered */
            delivered: number;
            /**
             * Failed
             * @description Attempts that failed.
             */
            failed: number;
            /**
             * P50
             * @description Lateness, ms.
             */
            p50: number | null;
            /** P99 */
            p99: number | null;
        };
        /**
         * LaneOut
         * @description What waits for one channel, or for one job type.
         */
        LaneOut: {
            /**
             * Lane
             * @description echo, webhook, or job: and the name of the handler.
             */
            lane: string;
            /** Scheduled */
            scheduled: number;
            /**
             * Due
             * @description Those of scheduled whose moment has come.
             */
            due: number;
            /**
             * Oldest Due Age Ms
             * @description For how long the first of them has been due.
             */
            oldest_due_age_ms: number | null;
            /**
             * Served
             * @description Whether a living server delivers this lane.
             */
            served: boolean;
        };
        /**
         * LastRunOut
         * @description A run that has ended, or did not begin.
         */
        LastRunOut: {
            /**
             * Scheduled For
             * Format: date-time
             * @description Null of a run that was asked for.
             */
            scheduled_for: string | null;
            /**
             * Outcome
             * @enum {string}
             */
            outcome: "delivered" | "dead" | "cancelled" | "skipped";
            /**
             * Reason
             * @description Why it was skipped.
             * @enum {string|null}
             */
            reason: "overlap" | "missed" | "changed" | null;
            /**
             * Origin
             * @enum {string}
             */
            origin: "plan" | "catch_up" | "backfill" | "run";
            /** Message Id */
            message_id: string;
            /**
             * Ended At
             * Format: date-time
             * @description ISO 8601, UTC, milliseconds.
             */
            ended_at: string;
            /**
             * Count
             * @description Moments that it stands for: moments that were missed together have one entry.
             */
            count: number;
        };
        /**
         * LatenessOut
         * @description Begin of an attempt after its moment, ms, over the last minute; null when there was none.
         */
        LatenessOut: {
            /** P50 */
            p50: number | null;
            /** P99 */
            p99: number | null;
        };
        /**
         * LimitsOut
         * @description What is in force; null where there is no limit.
         */
        LimitsOut: {
            /** Concurrency */
            concurrency: number | null;
            /** Rate */
            rate: number | null;
            /** Period Ms */
            period_ms: number | null;
            /** Ordered */
            ordered: boolean;
        };
        /**
         * MessageDetail
         * @description A message with the evidence of its last 20 attempts, oldest first.
         */
        MessageDetail: {
            /** Id */
            id: string;
            /**
             * Status
             * @enum {string}
             */
            status: "scheduled" | "processing" | "delivered" | "dead" | "cancelled";
            /** Channel */
            channel: string;
            /**
             * Message
             * @description Any JSON value.
             */
            message: unknown;
            /**
             * Scheduled For
             * Format: date-time
             * @description The moment asked for.  A change of it and a redrive move it; retries and back-pressure do not.
             */
            scheduled_for: string;
            /**
             * Due At
             * Format: date-time
             * @description Of the next attempt; of the last one once there is none to come.
             */
            due_at: string;
            /** Due At Ms */
            due_at_ms: number;
            /**
             * Priority
             * @enum {string}
             */
            priority: "high" | "normal" | "low";
            /**
             * MessageFlowOut
             * @description Null: it has no flow key.
             */
            flow: {
                /** Key */
                key: string;
                /**
                 * Waited Ms
                 * @description For how long it kept back the last attempt that began.
                 */
                waited_ms: number;
            } | null;
            /**
             * Attempt
             * @description Attempts made so far.
             */
            attempt: number;
            /**
             * Max Attempts
             * @description -1: without limit.
             */
            max_attempts: number;
            /**
             * Created At
             * Format: date-time
             * @description ISO 8601, UTC, milliseconds.
             */
            created_at: string;
            /**
             * Updated At
             * Format: date-time
             * @description ISO 8601, UTC, milliseconds.
             */
            updated_at: string;
            /**
             * Last Error
             * @description Of the last attempt that failed; null once delivered.  The attempts keep what went wrong before.
             */
            last_error: string | null;
            /**
             * Schedule Id
             * @description Only of a message that a schedule made.
             */
            schedule_id?: string | null;
            /**
             * Origin
             * @description How the schedule came to make it.
             * @enum {string|null}
             */
            origin?: "plan" | "catch_up" | "backfill" | "run" | null;
            /**
             * Redriven From
             * @description The message of the history that this one repeats; not there for any other.
             */
            redriven_from?: string | null;
            /**
             * Message Kept
             * @description False: the history left the payload out, and message is null.
             */
            message_kept?: boolean | null;
            /**
             * Message Sha256
             * @description Of the payload that was left out, in hexadecimal.
             */
            message_sha256?: string | null;
            /**
             * WebhookOut
             * @description Where a message is sent; credentials are masked.
             */
            webhook?: {
                /** Url */
                url: string;
                /** Method */
                method: string;
                /** Headers */
                headers: {
                    [key: string]: string;
                };
                /** Timeout */
                timeout?: number | null;
            } | null;
            /**
             * JobTargetOut
             * @description The handler that runs a job.
             */
            job?: {
                /** Type */
                type: string;
            } | null;
            /**
             * Result
             * @description What the handler returned; only of a job, null until it succeeds.
             * @default null
             */
            result?: unknown;
            /** Attempts */
            attempts: components["schemas"]["AttemptOut"][];
        };
        /**
         * MessageIn
         * @description A message to be delivered at ``time``, after ``delay``, or now.
         */
        MessageIn: {
            /**
             * Time
             * @description The moment: epoch seconds or milliseconds (from 1e8 on; below 1e11 it is seconds), as number or numeric string; ISO 8601; RFC 2822; or what JavaScript's Date writes. Without an offset it is UTC, unless timezone is given.
             * @default null
             * @example 2027-01-01T09:00:00Z
             */
            time?: (number | null) | string;
            /**
             * Delay
             * @description How long from now, until the year 9999 at most: seconds (number or its text), 1d2h30m45s, or ISO 8601 PT5M.
             * @default null
             * @example 1h30m
             */
            delay?: (number | null) | string;
            /**
             * Timezone
             * Format: iana-time-zone
             * @description IANA name of the zone in which a time without an offset is meant.
             * @default null
             * @example Europe/Berlin
             */
            timezone?: string | null;
            /**
             * Priority
             * @description Strict among the messages that are due; default normal.
             * @enum {string|null}
             */
            priority?: "high" | "normal" | "low" | null;
            /**
             * RetryIn
             * @description How failed attempts are repeated.  What is left out comes from the settings (section Retry).
             */
            retry?: {
                /**
                 * Max Attempts
                 * @description In all, the first included; -1 is without limit.
                 */
                max_attempts?: number | null;
                /**
                 * Base
                 * @description Seconds of backoff after the first failed attempt.
                 */
                base?: number | null;
                /**
                 * Factor
                 * @description Growth of the backoff from one attempt to the next.
                 */
                factor?: number | null;
                /**
                 * Cap
                 * @description Seconds; the backoff never grows past it.
                 */
                cap?: number | null;
                /**
                 * Jitter
                 * @description Draw each backoff evenly between 0 and its length.
                 */
                jitter?: boolean | null;
            } | null;
            /**
             * Message
             * @description Any JSON value; it is delivered as it is.
             * @example hello
             */
            message: unknown;
            /**
             * FlowIn
             * @description Limits that it shares with other messages.
             */
            flow?: {
                /**
                 * Concurrency
                 * @description Messages in flight at once, over all servers.
                 */
                concurrency?: number | null;
                /**
                 * Rate
                 * @description Attempts that may begin in each period.
                 */
                rate?: number | null;
                /**
                 * Period
                 * @description How long a window of the rate is: seconds (number or its text), 1d2h30m45s, or ISO 8601 PT5M; from 1 second to 7 days.
                 * @default null
                 */
                period?: (number | null) | string;
                /**
                 * Ordered
                 * @description One after the other, by moment and then as they were accepted.
                 */
                ordered?: boolean | null;
                /**
                 * Key
                 * @description Messages with the same key share the limits.
                 */
                key: string;
            } | null;
            /**
             * Channel
             * @description Where the message goes; follows from webhook or job, else echo.
             * @enum {string|null}
             */
            channel?: "echo" | "webhook" | "job" | null;
            /**
             * WebhookTarget
             * @description The HTTP endpoint that the message is sent to.
             */
            webhook?: {
                /**
                 * Url
                 * @description http or https; a user and password in it are sent as Basic credentials
                 */
                url: string;
                /**
                 * Method
                 * @description GET and DELETE are sent without a body
                 * @default POST
                 * @enum {string}
                 */
                method?: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
                /**
                 * Headers
                 * @description Sent as they are. With a Content-Type among them a string is sent as it is
                 */
                headers?: {
                    [key: string]: string;
                };
                /**
                 * Timeout
                 * @description Seconds for the whole attempt
                 */
                timeout?: number | null;
            } | null;
            /**
             * JobTarget
             * @description The handler that gets the message.
             */
            job?: {
                /**
                 * Type
                 * @description The name of a registered handler.
                 */
                type: string;
            } | null;
            /**
             * Id
             * @description Your own id; refused with 409 when it exists.
             */
            id?: string | null;
        } & (unknown & ({
            time: unknown;
        } | unknown));
        /**
         * MessageOut
         * @description A message.
         */
        MessageOut: {
            /** Id */
            id: string;
            /**
             * Status
             * @enum {string}
             */
            status: "scheduled" | "processing" | "delivered" | "dead" | "cancelled";
            /** Channel */
            channel: string;
            /**
             * Message
             * @description Any JSON value.
             */
            message: unknown;
            /**
             * Scheduled For
             * Format: date-time
             * @description The moment asked for.  A change of it and a redrive move it; retries and back-pressure do not.
             */
            scheduled_for: string;
            /**
             * Due At
             * Format: date-time
             * @description Of the next attempt; of the last one once there is none to come.
             */
            due_at: string;
            /** Due At Ms */
            due_at_ms: number;
            /**
             * Priority
             * @enum {string}
             */
            priority: "high" | "normal" | "low";
            /**
             * MessageFlowOut
             * @description Null: it has no flow key.
             */
            flow: {
                /** Key */
                key: string;
                /**
                 * Waited Ms
                 * @description For how long it kept back the last attempt that began.
                 */
                waited_ms: number;
            } | null;
            /**
             * Attempt
             * @description Attempts made so far.
             */
            attempt: number;
            /**
             * Max Attempts
             * @description -1: without limit.
             */
            max_attempts: number;
            /**
             * Created At
             * Format: date-time
             * @description ISO 8601, UTC, milliseconds.
             */
            created_at: string;
            /**
             * Updated At
             * Format: date-time
             * @description ISO 8601, UTC, milliseconds.
             */
            updated_at: string;
            /**
             * Last Error
             * @description Of the last attempt that failed; null once delivered.  The attempts keep what went wrong before.
             */
            last_error: string | null;
            /**
             * Schedule Id
             * @description Only of a message that a schedule made.
             */
            schedule_id?: string | null;
            /**
             * Origin
             * @description How the schedule came to make it.
             * @enum {string|null}
             */
            origin?: "plan" | "catch_up" | "backfill" | "run" | null;
            /**
             * Redriven From
             * @description The message of the history that this one repeats; not there for any other.
             */
            redriven_from?: string | null;
            /**
             * Message Kept
             * @description False: the history left the payload out, and message is null.
             */
            message_kept?: boolean | null;
            /**
             * Message Sha256
             * @description Of the payload that was left out, in hexadecimal.
             */
            message_sha256?: string | null;
            /**
             * WebhookOut
             * @description Where a message is sent; credentials are masked.
             */
            webhook?: {
                /** Url */
                url: string;
                /** Method */
                method: string;
                /** Headers */
                headers: {
                    [key: string]: string;
                };
                /** Timeout */
                timeout?: number | null;
            } | null;
            /**
             * JobTargetOut
             * @description The handler that runs a job.
             */
            job?: {
                /** Type */
                type: string;
            } | null;
            /**
             * Result
             * @description What the handler returned; only of a job, null until it succeeds.
             * @default null
             */
            result?: unknown;
        };
        /**
         * MessagePatch
         * @description What to change of a scheduled message; fields left out stay as they are.
         */
        MessagePatch: {
            /**
             * Time
             * @description The moment: epoch seconds or milliseconds (from 1e8 on; below 1e11 it is seconds), as number or numeric string; ISO 8601; RFC 2822; or what JavaScript's Date writes. Without an offset it is UTC, unless timezone is given.
             * @default null
             * @example 2027-01-01T09:00:00Z
             */
            time?: (number | null) | string;
            /**
             * Delay
             * @description How long from now, until the year 9999 at most: seconds (number or its text), 1d2h30m45s, or ISO 8601 PT5M.
             * @default null
             * @example 1h30m
             */
            delay?: (number | null) | string;
            /**
             * Timezone
             * Format: iana-time-zone
             * @description IANA name of the zone in which a time without an offset is meant.
             * @default null
             * @example Europe/Berlin
             */
            timezone?: string | null;
            /**
             * Priority
             * @description Strict among the messages that are due; default normal.
             * @enum {string|null}
             */
            priority?: "high" | "normal" | "low" | null;
            /**
             * RetryIn
             * @description How failed attempts are repeated.  What is left out comes from the settings (section Retry).
             */
            retry?: {
                /**
                 * Max Attempts
                 * @description In all, the first included; -1 is without limit.
                 */
                max_attempts?: number | null;
                /**
                 * Base
                 * @description Seconds of backoff after the first failed attempt.
                 */
                base?: number | null;
                /**
                 * Factor
                 * @description Growth of the backoff from one attempt to the next.
                 */
                factor?: number | null;
                /**
                 * Cap
                 * @description Seconds; the backoff never grows past it.
                 */
                cap?: number | null;
                /**
                 * Jitter
                 * @description Draw each backoff evenly between 0 and its length.
                 */
                jitter?: boolean | null;
            } | null;
            /**
             * Message
             * @description Any JSON value; it is delivered as it is.
             * @default null
             * @example hello
             */
            message?: unknown;
            /**
             * WebhookTarget
             * @description Replaces the whole webhook; only for a message that has one.
             */
            webhook?: {
                /**
                 * Url
                 * @description http or https; a user and password in it are sent as Basic credentials
                 */
                url: string;
                /**
                 * Method
                 * @description GET and DELETE are sent without a body
                 * @default POST
                 * @enum {string}
                 */
                method?: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
                /**
                 * Headers
                 * @description Sent as they are. With a Content-Type among them a string is sent as it is
                 */
                headers?: {
                    [key: string]: string;
                };
                /**
                 * Timeout
                 * @description Seconds for the whole attempt
                 */
                timeout?: number | null;
            } | null;
        } & (unknown & ({
            time: unknown;
        } | unknown));
        /**
         * NoteIn
         * @description Why.
         */
        NoteIn: {
            /**
             * Note
             * @description Kept with the schedule, and shown.
             */
            note?: string | null;
        };
        /**
         * PageOut
         * @description One page of a list.
         */
        PageOut: {
            /** Messages */
            messages: components["schemas"]["MessageOut"][];
            /** Next Cursor */
            next_cursor: string | null;
        };
        /**
         * PausedOut
         * @description Whether claiming stands still.
         */
        PausedOut: {
            /** Paused */
            paused: boolean;
        };
        /**
         * PinIn
         * @description Limits that hold whatever messages say.
         */
        PinIn: {
            /**
             * Concurrency
             * @description Messages in flight at once, over all servers.
             */
            concurrency?: number | null;
            /**
             * Rate
             * @description Attempts that may begin in each period.
             */
            rate?: number | null;
            /**
             * Period
             * @description How long a window of the rate is: seconds (number or its text), 1d2h30m45s, or ISO 8601 PT5M; from 1 second to 7 days.
             * @default null
             */
            period?: (number | null) | string;
            /**
             * Ordered
             * @description One after the other, by moment and then as they were accepted.
             */
            ordered?: boolean | null;
        };
        /**
         * PlannedRunOut
         * @description A moment of the plan.
         */
        PlannedRunOut: {
            /**
             * At
             * Format: date-time
             * @description ISO 8601, UTC, milliseconds.
             */
            at: string;
            /** At Ms */
            at_ms: number;
            /**
             * Local
             * @description ISO 8601 in the zone of the schedule, with its offset.
             */
            local: string;
        };
        /**
         * PreviewIn
         * @description A moment as MessageIn takes it.
         */
        PreviewIn: {
            /**
             * Time
             * @description The moment: epoch seconds or milliseconds (from 1e8 on; below 1e11 it is seconds), as number or numeric string; ISO 8601; RFC 2822; or what JavaScript's Date writes. Without an offset it is UTC, unless timezone is given.
             * @default null
             * @example 2027-01-01T09:00:00Z
             */
            time?: (number | null) | string;
            /**
             * Delay
             * @description How long from now, until the year 9999 at most: seconds (number or its text), 1d2h30m45s, or ISO 8601 PT5M.
             * @default null
             * @example 1h30m
             */
            delay?: (number | null) | string;
            /**
             * Timezone
             * Format: iana-time-zone
             * @description IANA name of the zone in which a time without an offset is meant.
             * @default null
             * @example Europe/Berlin
             */
            timezone?: string | null;
        } & (unknown & ({
            time: unknown;
        } | unknown));
        /**
         * PreviewOut
         * @description When a message would be due.
         */
        PreviewOut: {
            /**
             * Due At
             * Format: date-time
             * @description ISO 8601, UTC, milliseconds.
             */
            due_at: string;
            /** Due At Ms */
            due_at_ms: number;
            /**
             * Local
             * @description In the time zone, ISO 8601; null where that is beyond the year 9999.
             */
            local: string | null;
            /** Timezone */
            timezone: string;
        };
        /**
         * QuantilesOut
         * @description Begin of the last attempt after its moment, ms; null when there was none.
         */
        QuantilesOut: {
            /** P50 */
            p50: number | null;
            /** P99 */
            p99: number | null;
        };
        /**
         * RedisOut
         * @description The Redis behind the service.
         */
        RedisOut: {
            /** Version */
            version: string;
            /**
             * Used Memory
             * @description Bytes; null when Redis does not tell (no right to INFO).
             */
            used_memory: number | null;
            /**
             * Maxmemory
             * @description Bytes; 0 is without limit, null when Redis does not tell.
             */
            maxmemory: number | null;
            /**
             * Maxmemory Policy
             * @description `unknown` when Redis does not tell.
             */
            maxmemory_policy: string;
            /**
             * Persistence
             * @description `aof`, `rdb` (snapshots only), `none`, or `unknown`: Redis does not tell.
             */
            persistence: string;
            /**
             * Full
             * @description At maxmemory: new messages are refused, due ones are delivered.
             */
            full: boolean;
            /**
             * Clients
             * @description Null when Redis does not tell.
             */
            clients: number | null;
            /** Keys */
            keys: number;
        };
        /**
         * RedriveIn
         * @description Which dead letters to schedule again, oldest first.
         */
        RedriveIn: {
            /** Limit */
            limit?: number | null;
            /**
             * Channel
             * @enum {string|null}
             */
            channel?: "echo" | "webhook" | "job" | null;
            /**
             * Dry Run
             * @description Only say how many it would be.
             */
            dry_run?: boolean | null;
        };
        /**
         * RedrivenOut
         * @description How many dead letters were scheduled again; of a dry run how many would be.
         */
        RedrivenOut: {
            /**
             * Redriven
             * @description Not there for a dry run.
             */
            redriven?: number | null;
            /**
             * Would Redrive
             * @description Only there for a dry run, which changes nothing.
             */
            would_redrive?: number | null;
        };
        /**
         * RunOut
         * @description A run that the plan has.
         */
        RunOut: {
            /**
             * At
             * Format: date-time
             * @description ISO 8601, UTC, milliseconds.
             */
            at: string;
            /** At Ms */
            at_ms: number;
            /**
             * Local
             * @description ISO 8601 in the zone of the plan, with its offset.
             */
            local: string;
        };
        /**
         * ScheduleCountsOut
         * @description Schedules by state.
         */
        ScheduleCountsOut: {
            /** Active */
            active: number;
            /** Paused */
            paused: number;
            /** Ended */
            ended: number;
            /**
             * Failing
             * @description Those whose last run ended dead.
             */
            failing: number;
            /**
             * Overdue
             * @description Active ones whose moment passed more than 5 s ago and that nobody planned.
             */
            overdue: number;
            /** Oldest Overdue Age Ms */
            oldest_overdue_age_ms: number | null;
        };
        /**
         * ScheduleDetail
         * @description A schedule with its next five runs.
         */
        ScheduleDetail: {
            /** Id */
            id: string;
            /**
             * Status
             * @enum {string}
             */
            status: "active" | "paused" | "ended";
            /** Cron */
            cron: string | null;
            /** Every */
            every: string | null;
            /** Timezone */
            timezone: string;
            /**
             * Start
             * Format: date-time
             * @description ISO 8601, UTC, milliseconds.
             */
            start: string | null;
            /**
             * End
             * Format: date-time
             * @description ISO 8601, UTC, milliseconds.
             */
            end: string | null;
            /** Max Runs */
            max_runs: number | null;
            /** Jitter */
            jitter: string | null;
            catch_up: components["schemas"]["CatchUpOut"];
            /**
             * Overlap
             * @enum {string}
             */
            overlap: "skip" | "buffer" | "allow";
            /** Labels */
            labels: string[];
            /** Channel */
            channel: string;
            /**
             * Message
             * @description Any JSON value.
             */
            message: unknown;
            /**
             * Priority
             * @enum {string}
             */
            priority: "high" | "normal" | "low";
            /**
             * Max Attempts
             * @description -1: without limit.
             */
            max_attempts: number;
            /**
             * Note
             * @description Given with the last pause or resume.
             */
            note: string | null;
            /**
             * Overdue
             * @description Its moment passed more than 5 s ago, and no server has planned it.
             */
            overdue: boolean;
            /**
             * PlannedRunOut
             * @description A moment of the plan.
             */
            next_run: {
                /**
                 * At
                 * Format: date-time
                 * @description ISO 8601, UTC, milliseconds.
                 */
                at: string;
                /** At Ms */
                at_ms: number;
                /**
                 * Local
                 * @description ISO 8601 in the zone of the schedule, with its offset.
                 */
                local: string;
            } | null;
            /**
             * Running
             * @description The message under way; only with overlap skip and buffer.
             */
            running: string | null;
            /**
             * Buffered
             * @description The message that waits for its end.
             */
            buffered: string | null;
            counters: components["schemas"]["CountersOut"];
            /**
             * Created At
             * Format: date-time
             * @description ISO 8601, UTC, milliseconds.
             */
            created_at: string;
            /**
             * Updated At
             * Format: date-time
             * @description ISO 8601, UTC, milliseconds.
             */
            updated_at: string;
            /**
             * Last Runs
             * @description Newest first; 10 in a list, else 20.
             */
            last_runs: components["schemas"]["LastRunOut"][];
            /**
             * WebhookOut
             * @description Where a message is sent; credentials are masked.
             */
            webhook?: {
                /** Url */
                url: string;
                /** Method */
                method: string;
                /** Headers */
                headers: {
                    [key: string]: string;
                };
                /** Timeout */
                timeout?: number | null;
            } | null;
            /**
             * JobTargetOut
             * @description The handler that runs a job.
             */
            job?: {
                /** Type */
                type: string;
            } | null;
            /** Next Runs */
            next_runs: components["schemas"]["PlannedRunOut"][];
        };
        /**
         * ScheduleIn
         * @description A schedule to be created.
         */
        ScheduleIn: {
            /**
             * Cron
             * @description Five fields, or six with the second first; @hourly to @yearly; CRON_TZ=… in front.
             * @example 0 9 * * MON-FRI
             */
            cron?: string | null;
            /**
             * Every
             * @description The length of an interval, in the forms of delay; at least 1 second.
             * @default null
             * @example 1h30m
             */
            every?: (number | null) | string;
            /**
             * Timezone
             * Format: iana-time-zone
             * @description IANA name of the zone in which a time without an offset is meant.
             * @default null
             * @example Europe/Berlin
             */
            timezone?: string | null;
            /**
             * Start
             * @description The moment: epoch seconds or milliseconds (from 1e8 on; below 1e11 it is seconds), as number or numeric string; ISO 8601; RFC 2822; or what JavaScript's Date writes. Without an offset it is UTC, unless timezone is given.
             * @default null
             */
            start?: (number | null) | string;
            /**
             * End
             * @description The moment: epoch seconds or milliseconds (from 1e8 on; below 1e11 it is seconds), as number or numeric string; ISO 8601; RFC 2822; or what JavaScript's Date writes. Without an offset it is UTC, unless timezone is given.
             * @default null
             */
            end?: (number | null) | string;
            /**
             * Max Runs
             * @description How many moments the plan has, from its start on.
             */
            max_runs?: number | null;
            /**
             * Jitter
             * @description Each run is due later by up to this length, in the forms of delay; less than the time between runs.
             * @default null
             * @example 30s
             */
            jitter?: (number | null) | string;
            /**
             * CatchUpIn
             * @description What to make of moments that were missed, while no server ran or the whole service was paused.
             */
            catch_up?: {
                /**
                 * Policy
                 * @description Default latest.
                 * @enum {string|null}
                 */
                policy?: "none" | "latest" | "all" | null;
                /**
                 * Window
                 * @description How far back missed moments are made up for, in the forms of delay; default 1h.
                 * @default null
                 * @example 1h
                 */
                window?: (number | null) | string;
                /**
                 * Limit
                 * @description How many are made at most; only for all. Default 100.
                 */
                limit?: number | null;
            } | null;
            /**
             * Overlap
             * @description What becomes of a run while the one before has not ended. Default allow.
             * @enum {string|null}
             */
            overlap?: "skip" | "buffer" | "allow" | null;
            /** Labels */
            labels?: string[] | null;
            /**
             * Paused
             * @description Left out in a change: it stays as it is.
             */
            paused?: boolean | null;
            /**
             * Priority
             * @description Strict among the messages that are due; default normal.
             * @enum {string|null}
             */
            priority?: "high" | "normal" | "low" | null;
            /**
             * RetryIn
             * @description How failed attempts are repeated.  What is left out comes from the settings (section Retry).
             */
            retry?: {
                /**
                 * Max Attempts
                 * @description In all, the first included; -1 is without limit.
                 */
                max_attempts?: number | null;
                /**
                 * Base
                 * @description Seconds of backoff after the first failed attempt.
                 */
                base?: number | null;
                /**
                 * Factor
                 * @description Growth of the backoff from one attempt to the next.
                 */
                factor?: number | null;
                /**
                 * Cap
                 * @description Seconds; the backoff never grows past it.
                 */
                cap?: number | null;
                /**
                 * Jitter
                 * @description Draw each backoff evenly between 0 and its length.
                 */
                jitter?: boolean | null;
            } | null;
            /**
             * Message
             * @description Any JSON value; it is delivered as it is.
             * @example hello
             */
            message: unknown;
            /**
             * FlowIn
             * @description Limits that it shares with other messages.
             */
            flow?: {
                /**
                 * Concurrency
                 * @description Messages in flight at once, over all servers.
                 */
                concurrency?: number | null;
                /**
                 * Rate
                 * @description Attempts that may begin in each period.
                 */
                rate?: number | null;
                /**
                 * Period
                 * @description How long a window of the rate is: seconds (number or its text), 1d2h30m45s, or ISO 8601 PT5M; from 1 second to 7 days.
                 * @default null
                 */
                period?: (number | null) | string;
                /**
                 * Ordered
                 * @description One after the other, by moment and then as they were accepted.
                 */
                ordered?: boolean | null;
                /**
                 * Key
                 * @description Messages with the same key share the limits.
                 */
                key: string;
            } | null;
            /**
             * Channel
             * @description Where the message goes; follows from webhook or job, else echo.
             * @enum {string|null}
             */
            channel?: "echo" | "webhook" | "job" | null;
            /**
             * WebhookTarget
             * @description The HTTP endpoint that the message is sent to.
             */
            webhook?: {
                /**
                 * Url
                 * @description http or https; a user and password in it are sent as Basic credentials
                 */
                url: string;
                /**
                 * Method
                 * @description GET and DELETE are sent without a body
                 * @default POST
                 * @enum {string}
                 */
                method?: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
                /**
                 * Headers
                 * @description Sent as they are. With a Content-Type among them a string is sent as it is
                 */
                headers?: {
                    [key: string]: string;
                };
                /**
                 * Timeout
                 * @description Seconds for the whole attempt
                 */
                timeout?: number | null;
            } | null;
            /**
             * JobTarget
             * @description The handler that gets the message.
             */
            job?: {
                /**
                 * Type
                 * @description The name of a registered handler.
                 */
                type: string;
            } | null;
            /**
             * Id
             * @description Your own id; refused with 409 when it exists.
             */
            id?: string | null;
        } & (unknown & ({
            cron: unknown;
        } | {
            every: unknown;
        }));
        /**
         * ScheduleOut
         * @description A schedule.
         */
        ScheduleOut: {
            /** Id */
            id: string;
            /**
             * Status
             * @enum {string}
             */
            status: "active" | "paused" | "ended";
            /** Cron */
            cron: string | null;
            /** Every */
            every: string | null;
            /** Timezone */
            timezone: string;
            /**
             * Start
             * Format: date-time
             * @description ISO 8601, UTC, milliseconds.
             */
            start: string | null;
            /**
             * End
             * Format: date-time
             * @description ISO 8601, UTC, milliseconds.
             */
            end: string | null;
            /** Max Runs */
            max_runs: number | null;
            /** Jitter */
            jitter: string | null;
            catch_up: components["schemas"]["CatchUpOut"];
            /**
             * Overlap
             * @enum {string}
             */
            overlap: "skip" | "buffer" | "allow";
            /** Labels */
            labels: string[];
            /** Channel */
            channel: string;
            /**
             * Message
             * @description Any JSON value.
             */
            message: unknown;
            /**
             * Priority
             * @enum {string}
             */
            priority: "high" | "normal" | "low";
            /**
             * Max Attempts
             * @description -1: without limit.
             */
            max_attempts: number;
            /**
             * Note
             * @description Given with the last pause or resume.
             */
            note: string | null;
            /**
             * Overdue
             * @description Its moment passed more than 5 s ago, and no server has planned it.
             */
            overdue: boolean;
            /**
             * PlannedRunOut
             * @description A moment of the plan.
             */
            next_run: {
                /**
                 * At
                 * Format: date-time
                 * @description ISO 8601, UTC, milliseconds.
                 */
                at: string;
                /** At Ms */
                at_ms: number;
                /**
                 * Local
                 * @description ISO 8601 in the zone of the schedule, with its offset.
                 */
                local: string;
            } | null;
            /**
             * Running
             * @description The message under way; only with overlap skip and buffer.
             */
            running: string | null;
            /**
             * Buffered
             * @description The message that waits for its end.
             */
            buffered: string | null;
            counters: components["schemas"]["CountersOut"];
            /**
             * Created At
             * Format: date-time
             * @description ISO 8601, UTC, milliseconds.
             */
            created_at: string;
            /**
             * Updated At
             * Format: date-time
             * @description ISO 8601, UTC, milliseconds.
             */
            updated_at: string;
            /**
             * Last Runs
             * @description Newest first; 10 in a list, else 20.
             */
            last_runs: components["schemas"]["LastRunOut"][];
            /**
             * WebhookOut
             * @description Where a message is sent; credentials are masked.
             */
            webhook?: {
                /** Url */
                url: string;
                /** Method */
                method: string;
                /** Headers */
                headers: {
                    [key: string]: string;
                };
                /** Timeout */
                timeout?: number | null;
            } | null;
            /**
             * JobTargetOut
             * @description The handler that runs a job.
             */
            job?: {
                /** Type */
                type: string;
            } | null;
        };
        /**
         * SchedulePageOut
         * @description One page of the list of schedules.
         */
        SchedulePageOut: {
            /** Schedules */
            schedules: components["schemas"]["ScheduleOut"][];
            /** Next Cursor */
            next_cursor: string | null;
        };
        /**
         * SchedulePatch
         * @description What to change of a schedule; fields left out stay as they are.
         */
        SchedulePatch: {
            /**
             * Cron
             * @description Five fields, or six with the second first; @hourly to @yearly; CRON_TZ=… in front.
             * @example 0 9 * * MON-FRI
             */
            cron?: string | null;
            /**
             * Every
             * @description The length of an interval, in the forms of delay; at least 1 second.
             * @default null
             * @example 1h30m
             */
            every?: (number | null) | string;
            /**
             * Timezone
             * Format: iana-time-zone
             * @description IANA name of the zone in which a time without an offset is meant.
             * @default null
             * @example Europe/Berlin
             */
            timezone?: string | null;
            /**
             * Start
             * @description The moment: epoch seconds or milliseconds (from 1e8 on; below 1e11 it is seconds), as number or numeric string; ISO 8601; RFC 2822; or what JavaScript's Date writes. Without an offset it is UTC, unless timezone is given.
             * @default null
             */
            start?: (number | null) | string;
            /**
             * End
             * @description The moment: epoch seconds or milliseconds (from 1e8 on; below 1e11 it is seconds), as number or numeric string; ISO 8601; RFC 2822; or what JavaScript's Date writes. Without an offset it is UTC, unless timezone is given.
             * @default null
             */
            end?: (number | null) | string;
            /**
             * Max Runs
             * @description How many moments the plan has, from its start on.
             */
            max_runs?: number | null;
            /**
             * Jitter
             * @description Each run is due later by up to this length, in the forms of delay; less than the time between runs.
             * @default null
             * @example 30s
             */
            jitter?: (number | null) | string;
            /**
             * CatchUpIn
             * @description What to make of moments that were missed, while no server ran or the whole service was paused.
             */
            catch_up?: {
                /**
                 * Policy
                 * @description Default latest.
                 * @enum {string|null}
                 */
                policy?: "none" | "latest" | "all" | null;
                /**
                 * Window
                 * @description How far back missed moments are made up for, in the forms of delay; default 1h.
                 * @default null
                 * @example 1h
                 */
                window?: (number | null) | string;
                /**
                 * Limit
                 * @description How many are made at most; only for all. Default 100.
                 */
                limit?: number | null;
            } | null;
            /**
             * Overlap
             * @description What becomes of a run while the one before has not ended. Default allow.
             * @enum {string|null}
             */
            overlap?: "skip" | "buffer" | "allow" | null;
            /** Labels */
            labels?: string[] | null;
            /**
             * Paused
             * @description Left out in a change: it stays as it is.
             */
            paused?: boolean | null;
            /**
             * Priority
             * @description Strict among the messages that are due; default normal.
             * @enum {string|null}
             */
            priority?: "high" | "normal" | "low" | null;
            /**
             * RetryIn
             * @description How failed attempts are repeated.  What is left out comes from the settings (section Retry).
             */
            retry?: {
                /**
                 * Max Attempts
                 * @description In all, the first included; -1 is without limit.
                 */
                max_attempts?: number | null;
                /**
                 * Base
                 * @description Seconds of backoff after the first failed attempt.
                 */
                base?: number | null;
                /**
                 * Factor
                 * @description Growth of the backoff from one attempt to the next.
                 */
                factor?: number | null;
                /**
                 * Cap
                 * @description Seconds; the backoff never grows past it.
                 */
                cap?: number | null;
                /**
                 * Jitter
                 * @description Draw each backoff evenly between 0 and its length.
                 */
                jitter?: boolean | null;
            } | null;
            /**
             * Message
             * @description Any JSON value; it is delivered as it is.
             * @default null
             * @example hello
             */
            message?: unknown;
            /**
             * WebhookTarget
             * @description Replaces the whole webhook; only for a message that has one.
             */
            webhook?: {
                /**
                 * Url
                 * @description http or https; a user and password in it are sent as Basic credentials
                 */
                url: string;
                /**
                 * Method
                 * @description GET and DELETE are sent without a body
                 * @default POST
                 * @enum {string}
                 */
                method?: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
                /**
                 * Headers
                 * @description Sent as they are. With a Content-Type among them a string is sent as it is
                 */
                headers?: {
                    [key: string]: string;
                };
                /**
                 * Timeout
                 * @description Seconds for the whole attempt
                 */
                timeout?: number | null;
            } | null;
        };
        /**
         * SchedulePreviewOut
         * @description The next runs, in order.  Fewer than were asked for when the plan ends.
         */
        SchedulePreviewOut: {
            /** Runs */
            runs: components["schemas"]["RunOut"][];
        };
        /**
         * SchedulePut
         * @description A schedule: when (cron or every), and the message of each moment.
         */
        SchedulePut: {
            /**
             * Cron
             * @description Five fields, or six with the second first; @hourly to @yearly; CRON_TZ=… in front.
             * @example 0 9 * * MON-FRI
             */
            cron?: string | null;
            /**
             * Every
             * @description The length of an interval, in the forms of delay; at least 1 second.
             * @default null
             * @example 1h30m
             */
            every?: (number | null) | string;
            /**
             * Timezone
             * Format: iana-time-zone
             * @description IANA name of the zone in which a time without an offset is meant.
             * @default null
             * @example Europe/Berlin
             */
            timezone?: string | null;
            /**
             * Start
             * @description The moment: epoch seconds or milliseconds (from 1e8 on; below 1e11 it is seconds), as number or numeric string; ISO 8601; RFC 2822; or what JavaScript's Date writes. Without an offset it is UTC, unless timezone is given.
             * @default null
             */
            start?: (number | null) | string;
            /**
             * End
             * @description The moment: epoch seconds or milliseconds (from 1e8 on; below 1e11 it is seconds), as number or numeric string; ISO 8601; RFC 2822; or what JavaScript's Date writes. Without an offset it is UTC, unless timezone is given.
             * @default null
             */
            end?: (number | null) | string;
            /**
             * Max Runs
             * @description How many moments the plan has, from its start on.
             */
            max_runs?: number | null;
            /**
             * Jitter
             * @description Each run is due later by up to this length, in the forms of delay; less than the time between runs.
             * @default null
             * @example 30s
             */
            jitter?: (number | null) | string;
            /**
             * CatchUpIn
             * @description What to make of moments that were missed, while no server ran or the whole service was paused.
             */
            catch_up?: {
                /**
                 * Policy
                 * @description Default latest.
                 * @enum {string|null}
                 */
                policy?: "none" | "latest" | "all" | null;
                /**
                 * Window
                 * @description How far back missed moments are made up for, in the forms of delay; default 1h.
                 * @default null
                 * @example 1h
                 */
                window?: (number | null) | string;
                /**
                 * Limit
                 * @description How many are made at most; only for all. Default 100.
                 */
                limit?: number | null;
            } | null;
            /**
             * Overlap
             * @description What becomes of a run while the one before has not ended. Default allow.
             * @enum {string|null}
             */
            overlap?: "skip" | "buffer" | "allow" | null;
            /** Labels */
            labels?: string[] | null;
            /**
             * Paused
             * @description Left out in a change: it stays as it is.
             */
            paused?: boolean | null;
            /**
             * Priority
             * @description Strict among the messages that are due; default normal.
             * @enum {string|null}
             */
            priority?: "high" | "normal" | "low" | null;
            /**
             * RetryIn
             * @description How failed attempts are repeated.  What is left out comes from the settings (section Retry).
             */
            retry?: {
                /**
                 * Max Attempts
                 * @description In all, the first included; -1 is without limit.
                 */
                max_attempts?: number | null;
                /**
                 * Base
                 * @description Seconds of backoff after the first failed attempt.
                 */
                base?: number | null;
                /**
                 * Factor
                 * @description Growth of the backoff from one attempt to the next.
                 */
                factor?: number | null;
                /**
                 * Cap
                 * @description Seconds; the backoff never grows past it.
                 */
                cap?: number | null;
                /**
                 * Jitter
                 * @description Draw each backoff evenly between 0 and its length.
                 */
                jitter?: boolean | null;
            } | null;
            /**
             * Message
             * @description Any JSON value; it is delivered as it is.
             * @example hello
             */
            message: unknown;
            /**
             * FlowIn
             * @description Limits that it shares with other messages.
             */
            flow?: {
                /**
                 * Concurrency
                 * @description Messages in flight at once, over all servers.
                 */
                concurrency?: number | null;
                /**
                 * Rate
                 * @description Attempts that may begin in each period.
                 */
                rate?: number | null;
                /**
                 * Period
                 * @description How long a window of the rate is: seconds (number or its text), 1d2h30m45s, or ISO 8601 PT5M; from 1 second to 7 days.
                 * @default null
                 */
                period?: (number | null) | string;
                /**
                 * Ordered
                 * @description One after the other, by moment and then as they were accepted.
                 */
                ordered?: boolean | null;
                /**
                 * Key
                 * @description Messages with the same key share the limits.
                 */
                key: string;
            } | null;
            /**
             * Channel
             * @description Where the message goes; follows from webhook or job, else echo.
             * @enum {string|null}
             */
            channel?: "echo" | "webhook" | "job" | null;
            /**
             * WebhookTarget
             * @description The HTTP endpoint that the message is sent to.
             */
            webhook?: {
                /**
                 * Url
                 * @description http or https; a user and password in it are sent as Basic credentials
                 */
                url: string;
                /**
                 * Method
                 * @description GET and DELETE are sent without a body
                 * @default POST
                 * @enum {string}
                 */
                method?: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
                /**
                 * Headers
                 * @description Sent as they are. With a Content-Type among them a string is sent as it is
                 */
                headers?: {
                    [key: string]: string;
                };
                /**
                 * Timeout
                 * @description Seconds for the whole attempt
                 */
                timeout?: number | null;
            } | null;
            /**
             * JobTarget
             * @description The handler that gets the message.
             */
            job?: {
                /**
                 * Type
                 * @description The name of a registered handler.
                 */
                type: string;
            } | null;
        } & (unknown & ({
            cron: unknown;
        } | {
            every: unknown;
        }));
        /**
         * ScheduledCounts
         * @description Scheduled messages by priority.
         */
        ScheduledCounts: {
            /** Total */
            total: number;
            /** High */
            high: number;
            /** Normal */
            normal: number;
            /** Low */
            low: number;
        };
        /**
         * ServerOut
         * @description One process of the service, alive, or silent for less than a minute.
         */
        ServerOut: {
            /** Name */
            name: string;
            /**
             * Role
             * @enum {string}
             */
            role: "scheduler" | "api";
            /** In Flight */
            in_flight: number;
            /** Last Beat Age Ms */
            last_beat_age_ms: number;
            /**
             * Progress Age Ms
             * @description At the last beat, how long ago its scheduler thread finished a step; null of role api.
             */
            progress_age_ms: number | null;
            /**
             * Clock Skew Ms
             * @description So far its clock is ahead of Redis's; below 0 behind it.
             */
            clock_skew_ms: number | null;
            /**
             * Failure
             * @description Why it reports and delivers nothing, in words; null while all is well.
             */
            failure: string | null;
            /**
             * Log Lines Lost
             * @description Log lines that it could not write since its start, as on a full disk.
             */
            log_lines_lost: number | null;
            /** Version */
            version: string | null;
            /** Pid */
            pid: number | null;
            /** Host */
            host: string | null;
            /**
             * Started At
             * Format: date-time
             * @description ISO 8601, UTC, milliseconds.
             */
            started_at: string | null;
        };
        /**
         * SkippedOut
         * @description Moments without a delivery, by reason.
         */
        SkippedOut: {
            /**
             * Overlap
             * @description The run before had not ended.
             */
            overlap: number;
            /**
             * Missed
             * @description No server planned in time, and they were not made up for.
             */
            missed: number;
            /**
             * Changed
             * @description The schedule was changed before they began.
             */
            changed: number;
        };
        /**
         * SlotOut
         * @description One hour or day of one channel.
         */
        SlotOut: {
            /**
             * At
             * Format: date-time
             * @description When it begins.
             */
            at: string;
            /** Channel */
            channel: string;
            /** Delivered */
            delivered: number;
            /** Dead */
            dead: number;
            /** Cancelled */
            cancelled: number;
            /**
             * Failure Rate
             * @description dead out of delivered and dead; null when there are none.
             */
            failure_rate: number | null;
            lateness_ms: components["schemas"]["QuantilesOut"];
        };
        /**
         * SourcesOut
         * @description Where each limit in force comes from; null where there is none.
         */
        SourcesOut: {
            /**
             * Concurrency
             * @enum {string|null}
             */
            concurrency: "message" | "settings" | "pinned" | null;
            /**
             * Rate
             * @description Of rate and period.
             * @enum {string|null}
             */
            rate: "message" | "settings" | "pinned" | null;
            /**
             * Ordered
             * @enum {string|null}
             */
            ordered: "message" | "settings" | "pinned" | null;
        };
        /**
         * StatsOut
         * @description The service at a glance.
         */
        StatsOut: {
            /**
             * Redis Time
             * Format: date-time
             * @description The clock that decides what is due.
             */
            redis_time: string;
            scheduled: components["schemas"]["ScheduledCounts"];
            /**
             * Due
             * @description Those of scheduled whose moment has come.
             */
            due: number;
            /**
             * Retrying
             * @description Those of scheduled that have an attempt behind them.
             */
            retrying: number;
            /** Processing */
            processing: number;
            /** Dead */
            dead: number;
            /**
             * Finished
             * @description Delivered and cancelled, within retention.
             */
            finished: number;
            /** Paused */
            paused: boolean;
            /**
             * Partitions Away
             * @description Parts of a Redis Cluster that do not answer; their messages are not counted, the others go on.
             */
            partitions_away: number;
            /**
             * Oldest Due Age Ms
             * @description How long the message that waits longest for an attempt has been due, those held back included.
             */
            oldest_due_age_ms: number | null;
            held_back: components["schemas"]["HeldBackOut"];
            flow: components["schemas"]["FlowCounts"];
            schedules: components["schemas"]["ScheduleCountsOut"];
            /**
             * Lanes
             * @description Lanes in which something waits, 100 at most: first what is due and has no server, then most due.
             */
            lanes: components["schemas"]["LaneOut"][];
            /**
             * Next Due At
             * Format: date-time
             * @description ISO 8601, UTC, milliseconds.
             */
            next_due_at: string | null;
            /** Finished Bytes */
            finished_bytes: number;
            throughput: components["schemas"]["ThroughputOut"];
            lateness_ms: components["schemas"]["LatenessOut"];
            /**
             * History
             * @description The last 15 minutes, oldest first; quiet times are left out.
             */
            history: components["schemas"]["HistoryPoint"][];
            /** Servers */
            servers: components["schemas"]["ServerOut"][];
            redis: components["schemas"]["RedisOut"];
            /**
             * ArchiveOut
             * @description Null where there is no history (History.Url).
             */
            archive: {
                /**
                 * Messages
                 * @description Finished, and not in the database yet.
                 */
                messages: number;
                /** Bytes */
                bytes: number;
                /**
                 * Max Bytes
                 * @description History.OutboxMaxBytes: with more, the oldest are dropped, or settling waits.
                 */
                max_bytes: number;
                /**
                 * Oldest Age Ms
                 * @description For how long the first of them has been finished.
                 */
                oldest_age_ms: number | null;
                /**
                 * Dropped
                 * @description Messages that the history will never have, since this Redis is in use.
                 */
                dropped: number;
                /**
                 * Away
                 * @description Processes that the database did not answer at their last try.
                 */
                away: string[];
            } | null;
            /**
             * Events Url
             * @description Live events (WebSocket); null when no server shows any.
             */
            events_url: string | null;
        };
        /**
         * SummaryOut
         * @description What ended in a time, by hour or day and by channel; oldest first, without empty slots.
         */
        SummaryOut: {
            /**
             * By
             * @enum {string}
             */
            by: "hour" | "day";
            /**
             * Since
             * Format: date-time
             * @description ISO 8601, UTC, milliseconds.
             */
            since: string;
            /**
             * Until
             * Format: date-time
             * @description ISO 8601, UTC, milliseconds.
             */
            until: string;
            /** Slots */
            slots: components["schemas"]["SlotOut"][];
        };
        /**
         * ThroughputOut
         * @description Per second, over the last minute.
         */
        ThroughputOut: {
            /** Accepted Per S */
            accepted_per_s: number;
            /** Delivered Per S */
            delivered_per_s: number;
            /**
             * Failed Per S
             * @description Attempts that failed.
             */
            failed_per_s: number;
        };
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export interface operations {
    messages_list_messages: {
        parameters: {
            query?: {
                status?: "scheduled" | "processing" | "delivered" | "dead" | "cancelled" | null;
                channel?: "echo" | "webhook" | "job" | null;
                priority?: "high" | "normal" | "low" | null;
                type?: string;
                schedule?: string;
                flow_key?: string;
                timezone?: string;
                since?: number | string;
                until?: number | string;
                limit?: number;
                cursor?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description One page of a list. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PageOut"];
                };
            };
        };
    };
    messages_create: {
        parameters: {
            query?: never;
            header?: {
                /** @description A repeat of the request with the same key stores nothing more. */
                "Idempotency-Key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["MessageIn"];
            };
        };
        responses: {
            /** @description A message. */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["MessageOut"];
                };
            };
        };
    };
    messages_read: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A message with the evidence of its last 20 attempts, oldest first. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["MessageDetail"];
                };
            };
        };
    };
    messages_cancel: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A message. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["MessageOut"];
                };
            };
        };
    };
    messages_change: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["MessagePatch"];
            };
        };
        responses: {
            /** @description A message. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["MessageOut"];
                };
            };
        };
    };
    messages_run: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A message. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["MessageOut"];
                };
            };
        };
    };
    messages_create_batch: {
        parameters: {
            query?: never;
            header?: {
                /** @description A repeat of the request with the same key stores nothing more. */
                "Idempotency-Key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["BatchIn"];
            };
        };
        responses: {
            /** @description What became of a batch, in its order. */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["BatchOut"];
                };
            };
        };
    };
    schedules_list_schedules: {
        parameters: {
            query?: {
                status?: "active" | "paused" | "ended" | null;
                label?: string;
                limit?: number;
                cursor?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description One page of the list of schedules. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SchedulePageOut"];
                };
            };
        };
    };
    schedules_create: {
        parameters: {
            query?: never;
            header?: {
                /** @description A repeat of the request with the same key stores nothing more. */
                "Idempotency-Key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["ScheduleIn"];
            };
        };
        responses: {
            /** @description A schedule with its next five runs. */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ScheduleDetail"];
                };
            };
        };
    };
    schedules_read: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                schedule: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A schedule with its next five runs. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ScheduleDetail"];
                };
            };
        };
    };
    schedules_put: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                schedule: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["SchedulePut"];
            };
        };
        responses: {
            /** @description A schedule with its next five runs. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ScheduleDetail"];
                };
            };
        };
    };
    schedules_delete: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                schedule: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A schedule. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ScheduleOut"];
                };
            };
        };
    };
    schedules_change: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                schedule: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["SchedulePatch"];
            };
        };
        responses: {
            /** @description A schedule with its next five runs. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ScheduleDetail"];
                };
            };
        };
    };
    schedules_backfill: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                schedule: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["BackfillIn"];
            };
        };
        responses: {
            /** @description What a backfill made. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["BackfillOut"];
                };
            };
        };
    };
    schedules_pause: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                schedule: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["NoteIn"];
            };
        };
        responses: {
            /** @description A schedule with its next five runs. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ScheduleDetail"];
                };
            };
        };
    };
    schedules_resume: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                schedule: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["NoteIn"];
            };
        };
        responses: {
            /** @description A schedule with its next five runs. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ScheduleDetail"];
                };
            };
        };
    };
    schedules_run: {
        parameters: {
            query?: never;
            header?: {
                /** @description A repeat of the request with the same key stores nothing more. */
                "Idempotency-Key"?: string;
            };
            path: {
                schedule: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A message. */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["MessageOut"];
                };
            };
        };
    };
    schedules_preview: {
        parameters: {
            query?: {
                cron?: string;
                every?: string;
                timezone?: string;
                from?: number | string;
                count?: number;
                start?: number | string;
                end?: number | string;
                max_runs?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The next runs, in order.  Fewer than were asked for when the plan ends. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SchedulePreviewOut"];
                };
            };
        };
    };
    flows_list_flows: {
        parameters: {
            query?: {
                limit?: number;
                cursor?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description One page of flow keys, by name. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["FlowPageOut"];
                };
            };
        };
    };
    flows_read: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                flow_key: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A flow key as it is now. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["FlowOut"];
                };
            };
        };
    };
    flows_pin: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                flow_key: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["PinIn"];
            };
        };
        responses: {
            /** @description A flow key as it is now. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["FlowOut"];
                };
            };
        };
    };
    flows_unpin: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                flow_key: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A flow key as it is now. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["FlowOut"];
                };
            };
        };
    };
    flows_pause: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                flow_key: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["FlowPauseIn"];
            };
        };
        responses: {
            /** @description A flow key as it is now. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["FlowOut"];
                };
            };
        };
    };
    flows_reset: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                flow_key: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A flow key as it is now. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["FlowOut"];
                };
            };
        };
    };
    flows_resume: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                flow_key: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A flow key as it is now. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["FlowOut"];
                };
            };
        };
    };
    destinations_list_destinations: {
        parameters: {
            query?: {
                state?: "closed" | "open" | "half_open" | null;
                limit?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Open ones first, then those that changed last. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["BreakerListOut"];
                };
            };
        };
    };
    destinations_read: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                destination: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A destination of webhooks that has failed lately, asked for a pause, or was opened by hand. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["BreakerOut"];
                };
            };
        };
    };
    destinations_close_by_hand: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                destination: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["DestinationNoteIn"];
            };
        };
        responses: {
            /** @description A destination of webhooks that has failed lately, asked for a pause, or was opened by hand. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["BreakerOut"];
                };
            };
        };
    };
    destinations_open_by_hand: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                destination: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["DestinationNoteIn"];
            };
        };
        responses: {
            /** @description A destination of webhooks that has failed lately, asked for a pause, or was opened by hand. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["BreakerOut"];
                };
            };
        };
    };
    history_list_history: {
        parameters: {
            query?: {
                status?: "delivered" | "dead" | "cancelled" | null;
                channel?: "echo" | "webhook" | "job" | null;
                type?: string;
                schedule?: string;
                flow_key?: string;
                destination?: string;
                text?: string;
                by?: "finish" | "due";
                timezone?: string;
                since?: number | string;
                until?: number | string;
                limit?: number;
                cursor?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description One page of a list. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PageOut"];
                    "text/csv": string;
                    "application/x-ndjson": string;
                };
            };
        };
    };
    history_read: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A message with the evidence of its last 20 attempts, oldest first. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["MessageDetail"];
                };
            };
        };
    };
    history_redrive: {
        parameters: {
            query?: never;
            header?: {
                /** @description A repeat of the request with the same key stores nothing more. */
                "Idempotency-Key"?: string;
            };
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A message. */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["MessageOut"];
                };
            };
        };
    };
    history_summary: {
        parameters: {
            query?: {
                by?: "hour" | "day";
                channel?: "echo" | "webhook" | "job" | null;
                timezone?: string;
                since?: number | string;
                until?: number | string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description What ended in a time, by hour or day and by channel; oldest first, without empty slots. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SummaryOut"];
                };
            };
        };
    };
    dead_letters_redrive: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["RedriveIn"];
            };
        };
        responses: {
            /** @description How many dead letters were scheduled again; of a dry run how many would be. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RedrivenOut"];
                };
            };
        };
    };
    messages_redrive: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A message. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["MessageOut"];
                };
            };
        };
    };
    control_pause: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Whether claiming stands still. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PausedOut"];
                };
            };
        };
    };
    control_preview: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["PreviewIn"];
            };
        };
        responses: {
            /** @description When a message would be due. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PreviewOut"];
                };
            };
        };
    };
    control_resume: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Whether claiming stands still. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PausedOut"];
                };
            };
        };
    };
    control_stats: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The service at a glance. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["StatsOut"];
                };
            };
        };
    };
    test_clock_move: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["PreviewIn"];
            };
        };
        responses: {
            /** @description The service's clock, which tests may move. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ClockOut"];
                };
            };
        };
    };
    health_health: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The service can accept and deliver. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["HealthOut"];
                };
            };
        };
    };
}
