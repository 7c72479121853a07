/* A WAN line between two network namespaces: exact rate, delay, buffer and loss in each direction.
 *
 * It owns one TUN device in each namespace and is the line between them:
 *
 *   TUN a -> queue -> serialiser (rate) -> loss -> delay line -> TUN b        "down"
 *   TUN b -> queue -> serialiser (rate) -> loss -> delay line -> TUN a        "up"
 *
 * The queue is a FIFO with a limit in bytes, or flow queueing with CoDel (RFC 8290) with that limit over all flows.
 * The serialiser works in virtual time: a packet that waited starts at the nanosecond at which the one before it
 * ended, however late this process woke up, so lateness moves single packets and never changes the rate. How late it
 * was is counted: a run in which it was late is void.
 *
 * Commands on standard input, one a line: "rate down|up BITS_PER_SECOND", "cut", "mend", "same losses", "stats"; end of
 * input ends the line, so it dies with its owner. On standard output: "ready", then the command's first word for each,
 * but one JSON object for each "stats" and one at the end.
 *
 * "cut" unplugs the line: what is queued or on its way is lost, and what comes is lost until "mend". Random losses have
 * a sequence of their own for each direction and class, and in it for UDP; "same losses" starts the sequences of
 * business again, so that a download and a call each meet the same losses alone and beside a file.
 *
 * The log has one record for every millisecond in which something happened (see `struct log_record`), at most
 * max_records of them. Packets have two classes, by the last byte of the branch's address: managed PCs (< 200) and
 * business (>= 200).
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#define NS 1000000000LL
#define MAX_PACKET 2048
#define CLASSES 2
#define SEQUENCES (2 * CLASSES) /* of random losses: for each class, UDP and all else */
#define FIRST_BUSINESS_BYTE 200
#define FLOWS 1024
#define QUANTUM 1514
#define CODEL_TARGET_NS 5000000LL
#define CODEL_INTERVAL_NS 100000000LL
#define CODEL_MTU 1514
#define READ_BATCH 64 /* packets of one direction before the other and the timers have their turn */
#define LATE_NS 1000000LL /* a packet written this much after its time counts as late */

struct packet {
    struct packet *next;
    int64_t arrived, due;
    int length, payload, class, sequence;
    unsigned flow;
    unsigned char data[MAX_PACKET];
};

struct list { struct packet *head, *tail; };

struct flow {
    struct list packets;
    int64_t bytes;
    int deficit;
    enum { IDLE, NEW, OLD } state;
    struct flow *next;
    /* CoDel */
    int dropping;
    uint32_t count, last_count;
    int64_t first_above, drop_next;
};

struct flow_list { struct flow *head, *tail; };

struct of_class { uint64_t packets, bytes, payload, dropped, lost; };

struct log_direction {
    uint32_t backlog_max_bytes;            /* waiting, without the packet on the wire */
    uint32_t rate_kbit;
    uint32_t waited_max_us[CLASSES];       /* of packets whose sending began */
    uint32_t sent_bytes[CLASSES];          /* IP packets that left the serialiser */
    uint32_t sent_payload[CLASSES];        /* of those, what is above TCP or UDP */
};

struct log_record { uint64_t at_ms; struct log_direction direction[2]; }; /* CLOCK_MONOTONIC */

struct direction {
    int in, out;
    int64_t rate; /* bit/s */
    int64_t delay, limit, backlog, backlog_packets, backlog_max;
    double loss;
    int fair, is_down;
    struct list fifo, line; /* line: after the serialiser, on its way */
    struct flow flows[FLOWS];
    struct flow_list new_flows, old_flows;
    struct packet *sending;
    int64_t sent_at; /* when `sending` leaves the serialiser */
    struct of_class classes[CLASSES];
    uint64_t random[SEQUENCES];
    struct log_direction now;
    int touched;
    uint64_t written, late, write_errors, read_full;
    int64_t late_max;
};

static struct direction directions[2];
static int is_cut;
static struct packet *spare;
static FILE *log_file;
static uint64_t log_records, log_max, log_skipped;
static int64_t log_ms;

static void die(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "wan_link: ");
    vfprintf(stderr, format, arguments);
    fprintf(stderr, "\n");
    va_end(arguments);
    exit(1);
}

static int64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * NS + t.tv_nsec;
}

/* fixed: the same losses in every run with the same packets */
static void begin_random(struct direction *d, int sequence) {
    uint64_t number = 1 + sequence + SEQUENCES * d->is_down;
    d->random[sequence] = 0x9e3779b97f4a7c15ULL ^ number * 0xbf58476d1ce4e5b9ULL;
}

static double random_unit(struct direction *d, int sequence) {
    uint64_t *state = &d->random[sequence];
    *state ^= *state << 13, *state ^= *state >> 7, *state ^= *state << 17;
    return (double)(*state >> 11) / 9007199254740992.0;
}

static struct packet *take_packet(void) {
    struct packet *p = spare;
    if (p) { spare = p->next; return p; }
    if (!(p = malloc(sizeof *p))) die("out of memory");
    return p;
}

static void give_back(struct packet *p) { p->next = spare; spare = p; }

static void push(struct list *l, struct packet *p) {
    p->next = NULL;
    if (l->tail) l->tail->next = p; else l->head = p;
    l->tail = p;
}

static struct packet *pop(struct list *l) {
    struct packet *p = l->head;
    if (p && !(l->head = p->next)) l->tail = NULL;
    return p;
}

/* --- packets ------------------------------------------------------------------------------ */

static int is_ipv4(const unsigned char *d, int length) {
    return length >= 20 && d[0] >> 4 == 4 && length >= (d[0] & 15) * 4;
}

static void describe(struct packet *p, int down) {
    const unsigned char *d = p->data;
    int header = (d[0] & 15) * 4, total = d[2] << 8 | d[3];
    if (total > p->length) total = p->length;
    p->class = d[down ? 19 : 15] >= FIRST_BUSINESS_BYTE;
    p->sequence = p->class * 2 + (d[9] == 17);
    p->payload = 0;
    uint32_t hash = 2166136261u;
    for (int i = 12; i < 20; i++) hash = (hash ^ d[i]) * 16777619u;
    hash = (hash ^ d[9]) * 16777619u;
    if ((d[9] == 6 || d[9] == 17) && total >= header + 8) {
        for (int i = header; i < header + 4; i++) hash = (hash ^ d[i]) * 16777619u;
        int above = d[9] == 17 ? 8 : total >= header + 20 ? (d[header + 12] >> 4) * 4 : total - header;
        p->payload = total - header - above;
        if (p->payload < 0) p->payload = 0;
    }
    p->flow = (hash ^ hash >> 16) % FLOWS;
}

static void count_dropped(struct direction *d, struct packet *p) {
    d->classes[p->class].dropped++;
    give_back(p);
}

static void count_lost(struct direction *d, struct packet *p) {
    d->classes[p->class].lost++;
    give_back(p);
}

/* --- flow queueing with CoDel --------------------------------------------------------------- */

static void push_flow(struct flow_list *l, struct flow *f) {
    f->next = NULL;
    if (l->tail) l->tail->next = f; else l->head = f;
    l->tail = f;
}

static struct flow *pop_flow(struct flow_list *l) {
    struct flow *f = l->head;
    if (f && !(l->head = f->next)) l->tail = NULL;
    return f;
}

static struct packet *take_from_flow(struct direction *d, struct flow *f) {
    struct packet *p = pop(&f->packets);
    if (p) {
        f->bytes -= p->length;
        d->backlog -= p->length;
        d->backlog_packets--;
    }
    return p;
}

static int64_t control_law(int64_t t, uint32_t count) {
    double root = 1.0;
    for (int i = 0; i < 24; i++) root = 0.5 * (root + count / root); /* square root without libm */
    return t + (int64_t)(CODEL_INTERVAL_NS / root);
}

static struct packet *codel_next(struct direction *d, struct flow *f, int64_t now, int *may_drop) {
    struct packet *p = take_from_flow(d, f);
    *may_drop = 0;
    if (!p) { f->first_above = 0; return NULL; }
    if (now - p->arrived < CODEL_TARGET_NS || f->bytes <= CODEL_MTU) f->first_above = 0;
    else if (!f->first_above) f->first_above = now + CODEL_INTERVAL_NS;
    else if (now >= f->first_above) *may_drop = 1;
    return p;
}

static struct packet *codel_take(struct direction *d, struct flow *f, int64_t now) {
    int may_drop;
    struct packet *p = codel_next(d, f, now, &may_drop);
    if (f->dropping) {
        if (!may_drop) f->dropping = 0;
        while (p && f->dropping && now >= f->drop_next) {
            count_dropped(d, p);
            f->count++;
            p = codel_next(d, f, now, &may_drop);
            if (!may_drop) f->dropping = 0;
            else f->drop_next = control_law(f->drop_next, f->count);
        }
    } else if (p && may_drop) {
        count_dropped(d, p);
        p = codel_next(d, f, now, &may_drop);
        f->dropping = 1;
        uint32_t delta = f->count - f->last_count;
        f->count = delta > 1 && now - f->drop_next < 16 * CODEL_INTERVAL_NS ? delta : 1;
        f->drop_next = control_law(now, f->count);
        f->last_count = f->count;
    }
    return p;
}

static struct packet *fair_take(struct direction *d, int64_t now) {
    for (;;) {
        struct flow_list *list = d->new_flows.head ? &d->new_flows : &d->old_flows;
        struct flow *f = list->head;
        if (!f) return NULL;
        if (f->deficit <= 0) {
            f->deficit += QUANTUM;
            pop_flow(list);
            f->state = OLD;
            push_flow(&d->old_flows, f);
            continue;
        }
        struct packet *p = codel_take(d, f, now);
        if (p) { f->deficit -= p->length; return p; }
        pop_flow(list);
        if (list == &d->new_flows && d->old_flows.head) { f->state = OLD; push_flow(&d->old_flows, f); }
        else f->state = IDLE;
    }
}

static void fair_put(struct direction *d, struct packet *p) {
    struct flow *f = &d->flows[p->flow];
    push(&f->packets, p);
    f->bytes += p->length;
    d->backlog += p->length;
    d->backlog_packets++;
    if (f->state == IDLE) { f->state = NEW; f->deficit = QUANTUM; push_flow(&d->new_flows, f); }
    while (d->backlog > d->limit) { /* the fattest flow pays */
        struct flow *fattest = &d->flows[0];
        for (int i = 1; i < FLOWS; i++) if (d->flows[i].bytes > fattest->bytes) fattest = &d->flows[i];
        count_dropped(d, take_from_flow(d, fattest));
    }
}

/* --- one direction -------------------------------------------------------------------------- */

static void put(struct direction *d, struct packet *p) {
    if (d->fair) fair_put(d, p);
    else if (d->backlog + p->length > d->limit) { count_dropped(d, p); return; }
    else { push(&d->fifo, p); d->backlog += p->length; d->backlog_packets++; }
    d->touched = 1;
    if (d->backlog > d->backlog_max) d->backlog_max = d->backlog;
    if (d->backlog > d->now.backlog_max_bytes) d->now.backlog_max_bytes = d->backlog;
}

static int64_t wire_time(const struct direction *d, int length) { return (int64_t)length * 8 * NS / d->rate; }

static void begin(struct direction *d, int64_t at) {
    struct packet *p;
    if (d->fair) p = fair_take(d, at);
    else if ((p = pop(&d->fifo))) { d->backlog -= p->length; d->backlog_packets--; }
    d->sending = p;
    if (!p) return;
    if (p->arrived > at) at = p->arrived; /* it came after the line had become free */
    uint32_t waited = (at - p->arrived) / 1000;
    if (waited > d->now.waited_max_us[p->class]) d->now.waited_max_us[p->class] = waited;
    d->sent_at = at + wire_time(d, p->length);
}

static void serialise(struct direction *d, int64_t now) {
    if (!d->sending) begin(d, now);
    while (d->sending && d->sent_at <= now) {
        struct packet *p = d->sending;
        struct of_class *c = &d->classes[p->class];
        d->touched = 1;
        c->packets++, c->bytes += p->length, c->payload += p->payload;
        d->now.sent_bytes[p->class] += p->length;
        d->now.sent_payload[p->class] += p->payload;
        if (d->loss > 0 && random_unit(d, p->sequence) < d->loss) count_lost(d, p);
        else { p->due = d->sent_at + d->delay; push(&d->line, p); }
        begin(d, d->sent_at);
    }
    if (d->backlog > d->now.backlog_max_bytes) d->now.backlog_max_bytes = d->backlog, d->touched = 1;
}

static void deliver(struct direction *d, int64_t now) {
    while (d->line.head && d->line.head->due <= now) {
        struct packet *p = pop(&d->line);
        int64_t late = now_ns() - p->due;
        if (late > d->late_max) d->late_max = late;
        if (late > LATE_NS) d->late++;
        if (write(d->out, p->data, p->length) != p->length) d->write_errors++;
        d->written++;
        give_back(p);
    }
}

static int receive(struct direction *d) {
    for (int i = 0; i < READ_BATCH; i++) {
        struct packet *p = take_packet();
        ssize_t length = read(d->in, p->data, MAX_PACKET);
        if (length <= 0) {
            give_back(p);
            if (length < 0 && errno != EAGAIN && errno != EINTR && errno != EIO) die("read: %s", strerror(errno));
            return 0;
        }
        if (!is_ipv4(p->data, length)) { give_back(p); continue; }
        p->length = length;
        p->arrived = now_ns();
        describe(p, d->is_down);
        if (is_cut) { count_lost(d, p); continue; }
        put(d, p);
        if (!d->sending) begin(d, p->arrived);
    }
    d->read_full++;
    return 1;
}

static void lose_all(struct direction *d) {
    struct packet *p;
    if (d->sending) count_lost(d, d->sending);
    d->sending = NULL;
    while ((p = pop(&d->line))) count_lost(d, p);
    while ((p = pop(&d->fifo))) { d->backlog -= p->length; d->backlog_packets--; count_lost(d, p); }
    for (int i = 0; i < FLOWS; i++) /* an empty flow leaves its list when its turn comes */
        while ((p = take_from_flow(d, &d->flows[i]))) count_lost(d, p);
}

/* --- log, statistics, commands ---------------------------------------------------------------- */

static void log_until(int64_t now) {
    int64_t ms = now / 1000000;
    if (ms == log_ms) return;
    if (directions[0].touched || directions[1].touched) {
        struct log_record record = {.at_ms = log_ms};
        for (int i = 0; i < 2; i++) {
            struct direction *d = &directions[i];
            record.direction[i] = d->now;
            record.direction[i].rate_kbit = d->rate / 1000;
            memset(&d->now, 0, sizeof d->now);
            d->now.backlog_max_bytes = d->backlog;
            d->touched = d->backlog > 0;
        }
        if (log_file && log_records < log_max) { fwrite(&record, sizeof record, 1, log_file); log_records++; }
        else log_skipped++;
    }
    log_ms = ms;
}

static void print_stats(void) {
    printf("{\"at_ns\":%lld,\"log_records\":%llu,\"log_skipped\":%llu", (long long)now_ns(),
           (unsigned long long)log_records, (unsigned long long)log_skipped);
    struct timespec cpu;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
    printf(",\"cpu_seconds\":%.3f", cpu.tv_sec + cpu.tv_nsec / 1e9);
    for (int i = 0; i < 2; i++) {
        struct direction *d = &directions[i];
        printf(",\"%s\":{\"backlog_max_bytes\":%lld,\"written\":%llu,\"late\":%llu,\"late_max_ns\":%lld,"
               "\"write_errors\":%llu,\"classes\":[",
               d->is_down ? "down" : "up", (long long)d->backlog_max, (unsigned long long)d->written,
               (unsigned long long)d->late, (long long)d->late_max, (unsigned long long)d->write_errors);
        for (int c = 0; c < CLASSES; c++) {
            struct of_class *k = &d->classes[c];
            printf("%s{\"packets\":%llu,\"bytes\":%llu,\"payload_bytes\":%llu,\"dropped\":%llu,\"lost\":%llu}",
                   c ? "," : "", (unsigned long long)k->packets, (unsigned long long)k->bytes,
                   (unsigned long long)k->payload, (unsigned long long)k->dropped, (unsigned long long)k->lost);
        }
        printf("]}");
    }
    printf("}\n");
    fflush(stdout);
}

static void set_rate(struct direction *d, int64_t rate) {
    int64_t now = now_ns();
    serialise(d, now);
    if (d->sending) /* what is left of the packet on the wire goes at the new rate */
        d->sent_at = now + (int64_t)((double)(d->sent_at - now) * d->rate / rate);
    d->rate = rate;
}

static int obey(const char *line) {
    char which[8];
    long long rate;
    if (sscanf(line, "rate %7s %lld", which, &rate) == 2 && rate >= 1000) {
        set_rate(&directions[strcmp(which, "down") != 0], rate);
        printf("rate\n");
    } else if (strcmp(line, "cut") == 0 || strcmp(line, "mend") == 0) {
        is_cut = line[0] == 'c';
        if (is_cut) for (int i = 0; i < 2; i++) lose_all(&directions[i]);
        printf("%s\n", line);
    } else if (strcmp(line, "same losses") == 0) {
        for (int i = 0; i < 2; i++) for (int s = SEQUENCES - 2; s < SEQUENCES; s++) begin_random(&directions[i], s);
        printf("same\n");
    } else if (strcmp(line, "stats") == 0) {
        if (log_file) fflush(log_file);
        print_stats();
    } else die("not a command: %s", line);
    fflush(stdout);
    return 1;
}

static int commands(void) {
    static char text[4096];
    static size_t filled;
    ssize_t got = read(STDIN_FILENO, text + filled, sizeof text - 1 - filled);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return 1;
    if (got <= 0) return 0;
    filled += got;
    text[filled] = 0;
    char *end, *start = text;
    while ((end = strchr(start, '\n'))) { *end = 0; obey(start); start = end + 1; }
    filled -= start - text;
    memmove(text, start, filled);
    if (filled == sizeof text - 1) die("a command is too long");
    return 1;
}

/* --- start ------------------------------------------------------------------------------------ */

static int open_tun(const char *namespace, const char *name) {
    int home = open("/proc/self/ns/net", O_RDONLY), there = open(namespace, O_RDONLY);
    if (home < 0 || there < 0) die("%s: %s", namespace, strerror(errno));
    if (setns(there, CLONE_NEWNET)) die("setns %s: %s", namespace, strerror(errno));
    int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK);
    if (fd < 0) die("/dev/net/tun: %s", strerror(errno));
    struct ifreq request = {0};
    request.ifr_flags = IFF_TUN | IFF_NO_PI;
    snprintf(request.ifr_name, sizeof request.ifr_name, "%s", name);
    if (ioctl(fd, TUNSETIFF, &request)) die("TUNSETIFF %s: %s", name, strerror(errno));
    if (setns(home, CLONE_NEWNET)) die("setns back: %s", strerror(errno));
    close(there);
    close(home);
    return fd;
}

static volatile sig_atomic_t ended;
static void end(int number) { (void)number; ended = 1; }

static void run(void) {
    while (!ended) {
        int64_t now = now_ns(), next = INT64_MAX;
        log_until(now);
        int more = receive(&directions[0]) | receive(&directions[1]);
        for (int i = 0; i < 2; i++) {
            struct direction *d = &directions[i];
            now = now_ns();
            serialise(d, now);
            deliver(d, now);
            if (d->sending && d->sent_at < next) next = d->sent_at;
            if (d->line.head && d->line.head->due < next) next = d->line.head->due;
        }
        if (directions[0].touched || directions[1].touched) { /* close the record of this millisecond in time */
            int64_t boundary = (log_ms + 1) * 1000000;
            if (boundary < next) next = boundary;
        }
        now = now_ns();
        int64_t wait = more || next <= now ? 0 : next == INT64_MAX ? NS : next - now;
        struct timespec timeout = {wait / NS, wait % NS};
        struct pollfd polled[3] = {{directions[0].in, POLLIN, 0}, {directions[1].in, POLLIN, 0}, {0, POLLIN, 0}};
        if (ppoll(polled, 3, &timeout, NULL) < 0 && errno != EINTR) die("ppoll: %s", strerror(errno));
        if (polled[2].revents && !commands()) return;
    }
}

static void set_direction(int index, char **a) {
    struct direction *d = &directions[index];
    d->is_down = index == 0;
    for (int sequence = 0; sequence < SEQUENCES; sequence++) begin_random(d, sequence);
    d->rate = atoll(a[0]);
    d->delay = atoll(a[1]);
    d->limit = atoll(a[2]);
    d->fair = strcmp(a[3], "fq") == 0;
    d->loss = atof(a[4]);
    if (d->rate < 1000 || d->delay < 0 || d->limit < MAX_PACKET || d->loss < 0 || d->loss >= 1) die("bad direction");
}

int main(int count, char **a) {
    if (count != 17) die("usage: NETNS_A DEV_A NETNS_B DEV_B LOG MAX_RECORDS "
                         "{RATE_BITS DELAY_NS LIMIT_BYTES fifo|fq LOSS} (down) {...} (up)");
    set_direction(0, a + 7);
    set_direction(1, a + 12);
    directions[0].in = directions[1].out = open_tun(a[1], a[2]);
    directions[1].in = directions[0].out = open_tun(a[3], a[4]);
    log_max = strtoull(a[6], NULL, 10);
    if (strcmp(a[5], "-") && !(log_file = fopen(a[5], "wb"))) die("%s: %s", a[5], strerror(errno));
    if (log_file) setvbuf(log_file, NULL, _IOFBF, 1 << 18);
    signal(SIGTERM, end);
    signal(SIGINT, SIG_IGN); /* a terminal's Ctrl-C is for the owner, who ends us in order */
    prctl(PR_SET_TIMERSLACK, 1);
    struct sched_param priority = {.sched_priority = 20};
    if (sched_setscheduler(0, SCHED_FIFO, &priority)) fprintf(stderr, "wan_link: no real-time priority: %s\n", strerror(errno));
    printf("ready\n");
    fflush(stdout);
    log_ms = now_ns() / 1000000;
    run();
    log_until(now_ns() + 1000000);
    if (log_file) fclose(log_file);
    print_stats();
    return 0;
}
