/* Waiting with a deadline, and writing that does not stop half-way. */
#ifndef RELAY_IO_H
#define RELAY_IO_H

#include "text.h"

/* Milliseconds of CLOCK_BOOTTIME: runs on in suspend, and no one can set it. */
int64_t now_ms(void);

/* Milliseconds from now to the deadline, at least 0. */
int64_t left_ms(int64_t deadline);

/* Sleeps so long, or less when a signal comes. */
void pause_ms(int milliseconds);

/* Waits until poll(2) reports one of `events` or an error; those that it reports, 0 when the deadline has passed. */
short wait_for(int fd, short events, int64_t deadline);

/* Writes all of it, however small the pieces that the receiver takes. False: errno says why. */
bool write_all(int fd, struct span bytes);

#endif
