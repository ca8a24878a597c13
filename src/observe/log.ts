import { visibleJson } from '../base/outside-text.ts';
import pino, { type Logger } from 'pino';

export const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace'] as const;

export type LogLevel = (typeof LOG_LEVELS)[number];

export function isLogLevel(text: string): text is LogLevel {
  return (LOG_LEVELS as readonly string[]).includes(text);
}

/**
 * One JSON object per line on stderr, where systemd and the kubelet look for it. Whatever a message brings from outside, no
 * line can deceive who reads it.
 */
export function createLog(level: LogLevel): Logger {
  const stderr = pino.destination({ fd: 2, sync: true });
  return pino(
    {
      level,
      base: null,
      formatters: { level: (label) => ({ level: label }) },
      timestamp: pino.stdTimeFunctions.isoTime,
    },
    { write: (line) => void stderr.write(visibleJson(line)) },
  );
}
