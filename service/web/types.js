/**
 * What the service sends, as far as the page reads it. Types only: nothing here runs.
 *
 * @typedef {"connecting" | "live" | "stalled" | "reconnecting" | "failed" | "ended"} Health
 * @typedef {"warming" | "normal" | "anomalous"} State
 * @typedef {[number, number][]} Polygon Points in fractions of width and height.
 *
 * @typedef {object} Options
 * @property {string | null} model
 * @property {number | null} threshold
 * @property {number | null} smoothing Seconds.
 * @property {"latest" | "every"} policy
 * @property {number | null} max_rate
 * @property {string | null} muted_until
 * @property {Polygon[]} mask
 * @property {number | null} minimum Seconds.
 * @property {number | null} cooldown Seconds.
 *
 * @typedef {object} Score
 * @property {number} epoch
 * @property {number} seq
 * @property {number} frame
 * @property {number} pts
 * @property {string} captured
 * @property {string} scored
 * @property {number | null} raw
 * @property {number | null} score
 * @property {number | null} smoothed
 * @property {number} threshold
 * @property {State} state
 * @property {number} dropped
 * @property {string} reason
 * @property {boolean} [reliable] Absent: it is.
 *
 * @typedef {object} Stream
 * @property {string} id
 * @property {string} name
 * @property {string | null} source
 * @property {boolean} loop
 * @property {string} created
 * @property {Options} options
 * @property {Health} health
 * @property {string} reason
 * @property {string} error_class
 * @property {string | null} model
 * @property {number | null} threshold
 * @property {number} frames
 * @property {number} scored
 * @property {Record<string, number>} dropped
 * @property {number} reconnects
 * @property {Score | null} latest
 * @property {string} [tampering] "": none.
 *
 * @typedef {object} Event
 * @property {number} id
 * @property {string} stream
 * @property {string} kind
 * @property {number} epoch
 * @property {string} started
 * @property {string | null} ended
 * @property {string} peaked
 * @property {number} peak
 * @property {number} peak_frame
 * @property {number} first_seq
 * @property {number} peak_seq
 * @property {number | null} last_seq
 * @property {boolean} muted
 * @property {"true" | "false" | null} label
 * @property {string} reason
 * @property {number[][] | null} heat
 * @property {string | null} [clip]
 * @property {string | null} [snapshot]
 * @property {string | null} [heatmap]
 * @property {"waiting" | "ready" | "failed" | "none"} [clip_state]
 * @property {string} [clip_reason]
 *
 * @typedef {object} Job
 * @property {string} id
 * @property {"queued" | "running" | "done" | "failed" | "cancelled"} state
 * @property {string[]} files
 * @property {Record<string, any>} options
 * @property {string} created
 * @property {string | null} started
 * @property {string | null} finished
 * @property {number} progress 0 to 1.
 * @property {number} frames
 * @property {string} error
 *
 * @typedef {object} Row
 * @property {string} clip
 * @property {number} frame
 * @property {number} time
 * @property {number | null} raw
 * @property {number | null} score
 * @property {number | null} smoothed
 * @property {State} state
 *
 * @typedef {object} Model
 * @property {string} name
 * @property {number} bytes
 * @property {boolean} active
 * @property {boolean} given
 * @property {string} error
 * @property {string | null} sha256
 * @property {Record<string, any> | null} config
 * @property {Record<string, any> | null} calibration
 * @property {Record<string, any> | null} provenance
 *
 * @typedef {object} Session
 * @property {boolean} auth
 * @property {string} name
 * @property {string[]} scopes
 * @property {string} csrf
 *
 * @typedef {object} Learning
 * @property {string} id
 * @property {string} stream
 * @property {"recording" | "training" | "ready" | "failed" | "cancelled"} state
 * @property {number} progress 0 to 1.
 * @property {string} detail
 * @property {string | null} model
 * @property {Record<string, any> | null} report
 *
 * @typedef {object} Webhook
 * @property {string} id
 * @property {string} name
 * @property {string} url
 * @property {string[]} streams Empty: all.
 * @property {string[]} kinds Empty: all.
 * @property {boolean} enabled
 * @property {string} error Why the last attempt failed, or nothing.
 *
 * @typedef {object} Alert
 * @property {number} id
 * @property {string} webhook
 * @property {number | null} event null: a test.
 * @property {string} type
 * @property {string} created
 * @property {"waiting" | "sent" | "dead"} state
 * @property {number} attempts
 * @property {string} error
 *
 * @typedef {{v: number, type: string, stream: string | null, epoch?: number, at?: number} & Record<string, any>} Message
 *
 * @typedef {object} View What a page of the dashboard is.
 * @property {string} title
 * @property {HTMLElement} element
 * @property {() => void} [close] Ends its sockets and timers.
 *
 * @typedef {object} App What every page is given.
 * @property {import("./live.js").Live} live
 * @property {Session} session
 * @property {(scope: string) => boolean} may
 */
export {};
