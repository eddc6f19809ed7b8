/* Simulate, in plain C: kaizar_pipeline/simulation/kernel/events.py function by function, with the same buckets,
 * queues and arrays, as a yardstick for the compiled engine. Built and called by engines.py; equal to it bit for bit.
 *
 * The structs hold the arrays of the named tuples of the same names, in their order; see there for their meaning.
 */

#include <math.h>
#include <stdint.h>
#include <string.h>

enum { CAPACITY, END_OF_STAY, PATIENCE, ARRIVAL };
enum { SOON, GRANTED, OPEN };
enum { NOT_ARRIVED, IN_SYSTEM, DISCHARGED, DIVERTED, LEFT };
enum { NOWHERE = -1, UNSEEN = -2 };

typedef struct {
    int64_t wards, ranks, changes, stops, types, census, patients, stays, buckets, capacity;
    double hours;
} Sizes;

typedef struct {
    int64_t *beds;
    double *change_hour;
    uint32_t *change_ward;
    int64_t *change_beds;
    uint8_t *holds_bed;
    double *overflow_threshold;
    int64_t *first_overflow;
    uint32_t *overflow_ward, *stop_ward;
    double *stop_threshold;
    uint8_t *stop_types;
    int64_t *queue_limit;
} Rules;

typedef struct {
    int32_t *seat;
    double *admitted, *requested, *arrival;
    int32_t *patient_type, *stream;
    uint32_t *number;
    double *patience;
    int64_t *offset;
    int32_t *planned_ward, *priority;
    double *los, *delay;
} Trajectories;

typedef struct {
    double *request, *admit, *ready, *depart;
    int32_t *used_ward;
    int8_t *status;
} Stays;

typedef struct {
    double *soon_time;
    uint32_t *soon;
    int32_t *later, *next_later;
    double *due;
    int64_t *now;
    uint32_t *granted, *stay;
    int32_t *held;
    uint32_t *ward;
    uint8_t *waits;
    int32_t *behind, *ahead, *first, *last;
    int64_t *queue, *census, *beds, *overflow_at, *stop_at;
    int32_t *waiting_in;
    int64_t *blocked, *came_from, *to_visit;
} State;

typedef struct {
    const Sizes *n;
    const Rules *rules;
    const Trajectories *drawn;
    const Stays *stays;
    const State *state;
    double per_hour; /* buckets */
} Hospital;

/* What an event sets off: a ward with a bed freed, a patient who asks for one, since when. */
typedef struct {
    int64_t freed, asking;
    double asked;
} Effect;

static const Effect NOTHING = {NOWHERE, NOWHERE, 0.0};

/* Ends of stays and of patience */

static int64_t bucket_of(const Hospital *h, double time)
{
    return (int64_t)(time * h->per_hour);
}

static int is_before(const State *s, int64_t place, double time, uint32_t event)
{
    return s->soon_time[place] < time || (s->soon_time[place] == time && s->soon[place] < event);
}

static void push_soon(const State *s, double time, uint32_t event)
{
    int64_t place = s->now[SOON]++;
    while (place > 0 && is_before(s, place - 1, time, event)) {
        s->soon_time[place] = s->soon_time[place - 1];
        s->soon[place] = s->soon[place - 1];
        place--;
    }
    s->soon_time[place] = time;
    s->soon[place] = event;
}

static void push(const Hospital *h, double time, int64_t event)
{
    const State *s = h->state;
    if (time < h->n->hours) {
        int64_t bucket = bucket_of(h, time);
        if (bucket <= s->now[OPEN]) {
            push_soon(s, time, (uint32_t)event);
        } else {
            s->due[event] = time;
            s->next_later[event] = s->later[bucket];
            s->later[bucket] = (int32_t)event;
        }
    }
}

static void open_buckets(const Hospital *h, double time)
{
    const State *s = h->state;
    int64_t upto = time >= h->n->hours ? h->n->buckets : bucket_of(h, time);
    while (s->now[SOON] == 0 && s->now[OPEN] < upto)
        for (int32_t event = s->later[++s->now[OPEN]]; event != NOWHERE; event = s->next_later[event])
            push_soon(s, s->due[event], (uint32_t)event);
}

static int64_t pop(const State *s)
{
    return s->soon[--s->now[SOON]];
}

/* Queues */

static void join_queue(const Hospital *h, int64_t p, int64_t ward)
{
    const State *s = h->state;
    int64_t queue = ward * h->n->ranks + h->drawn->priority[s->stay[p]];
    int32_t end = s->last[queue];
    s->ahead[p] = end;
    s->behind[p] = NOWHERE;
    if (end == NOWHERE)
        s->first[queue] = (int32_t)p;
    else
        s->behind[end] = (int32_t)p;
    s->last[queue] = (int32_t)p;
    s->queue[ward]++;
    s->waits[p] = 1;
}

static void unlink_waiter(const Hospital *h, int64_t p, int64_t ward, int64_t rank)
{
    const State *s = h->state;
    int64_t queue = ward * h->n->ranks + rank;
    int32_t ahead = s->ahead[p], behind = s->behind[p];
    if (ahead == NOWHERE)
        s->first[queue] = behind;
    else
        s->behind[ahead] = behind;
    if (behind == NOWHERE)
        s->last[queue] = ahead;
    else
        s->ahead[behind] = ahead;
    s->queue[ward]--;
    s->waits[p] = 0;
    if (s->held[p] != NOWHERE) {
        s->waiting_in[s->held[p] * h->n->wards + ward]--;
        s->blocked[s->held[p]]--;
    }
}

/* Beds */

static int has_free_bed(const State *s, int64_t ward)
{
    return s->census[ward] < s->beds[ward] && s->queue[ward] == 0;
}

static int64_t whole_beds(double threshold, int64_t beds)
{
    return threshold < INFINITY ? (int64_t)ceil(threshold * (double)beds - 1e-9) : INT64_MAX;
}

static void staff(const Hospital *h, int64_t ward, int64_t beds)
{
    const Rules *r = h->rules;
    h->state->beds[ward] = beds;
    h->state->overflow_at[ward] = whole_beds(r->overflow_threshold[ward], beds);
    for (int64_t stop = 0; stop < h->n->stops; stop++)
        if (r->stop_ward[stop] == ward)
            h->state->stop_at[stop] = whole_beds(r->stop_threshold[stop], beds);
}

static void move_to(const State *s, int64_t p, int64_t ward)
{
    s->census[ward]++;
    if (s->held[p] != NOWHERE)
        s->census[s->held[p]]--;
}

static void grant(const Hospital *h, int64_t p, int64_t ward, int64_t rank)
{
    const State *s = h->state;
    unlink_waiter(h, p, ward, rank);
    move_to(s, p, ward);
    s->granted[s->now[GRANTED]++] = (uint32_t)p;
}

static void serve(const Hospital *h, int64_t ward)
{
    const State *s = h->state;
    while (s->queue[ward] > 0 && s->census[ward] < s->beds[ward]) {
        int64_t rank = 0;
        while (s->first[ward * h->n->ranks + rank] == NOWHERE)
            rank++;
        grant(h, s->first[ward * h->n->ranks + rank], ward, rank);
    }
}

static int64_t overflow(const Hospital *h, int64_t ward)
{
    const Rules *r = h->rules;
    if (h->state->census[ward] >= h->state->overflow_at[ward])
        for (int64_t place = r->first_overflow[ward]; place < r->first_overflow[ward + 1]; place++)
            if (has_free_bed(h->state, r->overflow_ward[place]))
                return r->overflow_ward[place];
    return ward;
}

/* Exchange */

static int64_t shortest_cycle(const Hospital *h, int64_t held, int64_t ward)
{
    const State *s = h->state;
    int64_t *came_from = s->came_from, *to_visit = s->to_visit, wards = h->n->wards, visited = 0, found = 1;
    for (int64_t w = 0; w < wards; w++)
        came_from[w] = UNSEEN;
    came_from[ward] = NOWHERE;
    to_visit[0] = ward;
    while (visited < found && came_from[held] == UNSEEN) {
        int64_t here = to_visit[visited++];
        if (s->blocked[here] > 0)
            for (int64_t there = 0; there < wards; there++)
                if (came_from[there] == UNSEEN && s->waiting_in[here * wards + there] > 0) {
                    came_from[there] = here;
                    to_visit[found++] = there;
                }
    }
    if (came_from[held] == UNSEEN)
        return 0;
    int64_t length = 0;
    for (int64_t here = held; here != NOWHERE; here = came_from[here])
        to_visit[length++] = here;
    for (int64_t place = 1; place < (length + 1) / 2; place++) {
        int64_t other = to_visit[place];
        to_visit[place] = to_visit[length - place];
        to_visit[length - place] = other;
    }
    return length;
}

static int64_t first_waiter(const Hospital *h, int64_t held, int64_t ward)
{
    for (int64_t rank = 0; rank < h->n->ranks; rank++)
        for (int32_t p = h->state->first[ward * h->n->ranks + rank]; p != NOWHERE; p = h->state->behind[p])
            if (h->state->held[p] == held)
                return p;
    return NOWHERE;
}

static void exchange(const Hospital *h, int64_t held, int64_t ward)
{
    const State *s = h->state;
    int64_t length = shortest_cycle(h, held, ward);
    for (int64_t place = 0; place < length; place++)
        s->came_from[place] = first_waiter(h, s->to_visit[place], s->to_visit[(place + 1) % length]);
    for (int64_t place = 0; place < length; place++) {
        int64_t p = s->came_from[place];
        grant(h, p, s->ward[p], h->drawn->priority[s->stay[p]]);
    }
}

/* Patients */

static int64_t leave_bed(const Hospital *h, int64_t stay, int64_t ward, double now)
{
    h->stays->depart[stay] = now;
    h->state->census[ward]--;
    return ward;
}

static void care(const Hospital *h, int64_t p, double now)
{
    int64_t stay = h->state->stay[p];
    double end = now + h->drawn->los[stay];
    if (stay + 1 == h->drawn->offset[p + 1] && h->drawn->delay[stay] > 0) {
        if (end < h->n->hours)
            h->stays->ready[stay] = end;
        end += h->drawn->delay[stay];
    }
    push(h, end, p);
}

static Effect end_stay(const Hospital *h, int64_t p, double now, double asked)
{
    const State *s = h->state;
    int64_t stay = s->stay[p], ward = h->stays->used_ward[stay];
    h->stays->ready[stay] = fmin(h->stays->ready[stay], now);
    if (stay + 1 == h->drawn->offset[p + 1]) {
        h->stays->status[p] = DISCHARGED;
        return (Effect){leave_bed(h, stay, ward, now), NOWHERE, 0.0};
    }
    s->stay[p] = (uint32_t)(stay + 1);
    if (h->rules->holds_bed[ward]) {
        s->held[p] = (int32_t)ward;
        return (Effect){NOWHERE, p, asked};
    }
    return (Effect){leave_bed(h, stay, ward, now), p, asked};
}

static Effect begin(const Hospital *h, int64_t p)
{
    const State *s = h->state;
    int64_t stay = h->drawn->offset[p];
    s->stay[p] = (uint32_t)stay;
    s->held[p] = NOWHERE;
    if (h->drawn->seat[p] == NOWHERE)
        return (Effect){NOWHERE, p, h->drawn->requested[p]};
    if (h->drawn->los[stay] > 0 || (stay + 1 == h->drawn->offset[p + 1] && h->drawn->delay[stay] > 0)) {
        care(h, p, 0.0);
        return NOTHING;
    }
    return end_stay(h, p, 0.0, h->drawn->requested[p]);
}

static Effect arrive(const Hospital *h, int64_t p, double now)
{
    const Rules *r = h->rules;
    int64_t stay = h->drawn->offset[p];
    h->state->stay[p] = (uint32_t)stay;
    h->state->held[p] = NOWHERE;
    for (int64_t stop = 0; stop < h->n->stops; stop++)
        if (r->stop_types[stop * h->n->types + h->drawn->patient_type[p]] &&
            h->state->census[r->stop_ward[stop]] >= h->state->stop_at[stop]) {
            h->stays->status[p] = DIVERTED;
            h->stays->request[stay] = h->stays->depart[stay] = now;
            return NOTHING;
        }
    h->stays->status[p] = IN_SYSTEM;
    return (Effect){NOWHERE, p, now};
}

static void give_up(const Hospital *h, int64_t p, double now)
{
    const State *s = h->state;
    int64_t stay = s->stay[p];
    if (s->waits[p] && stay == h->drawn->offset[p]) {
        unlink_waiter(h, p, s->ward[p], h->drawn->priority[stay]);
        h->stays->status[p] = LEFT;
        h->stays->depart[stay] = now;
    }
}

static int request_bed(const Hospital *h, int64_t p, double now, double asked)
{
    const State *s = h->state;
    int64_t stay = s->stay[p], held = s->held[p], ward = h->drawn->planned_ward[stay];
    h->stays->request[stay] = asked;
    if (ward == held) {
        s->ward[p] = (uint32_t)ward;
        return 1;
    }
    if (asked >= 0)
        ward = overflow(h, ward);
    s->ward[p] = (uint32_t)ward;
    if (has_free_bed(s, ward)) {
        move_to(s, p, ward);
        return 1;
    }
    if (s->queue[ward] >= h->rules->queue_limit[ward] && p >= h->n->census && stay == h->drawn->offset[p]) {
        h->stays->status[p] = DIVERTED;
        h->stays->depart[stay] = now;
        return 0;
    }
    join_queue(h, p, ward);
    if (held != NOWHERE) {
        s->blocked[held]++;
        if (++s->waiting_in[held * h->n->wards + ward] == 1 && s->blocked[ward] > 0)
            exchange(h, held, ward);
    }
    if (stay == h->drawn->offset[p] && h->drawn->patience[p] < INFINITY)
        push(h, now + h->drawn->patience[p], h->n->capacity + p);
    return 0;
}

static int64_t admit(const Hospital *h, int64_t p, double now)
{
    const State *s = h->state;
    int64_t stay = s->stay[p], held = s->held[p];
    h->stays->used_ward[stay] = (int32_t)s->ward[p];
    h->stays->admit[stay] = now;
    if (held != NOWHERE) {
        h->stays->depart[stay - 1] = now;
        s->held[p] = NOWHERE;
    }
    care(h, p, now);
    return held;
}

/* Events */

static void fill(double *values, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        values[i] = INFINITY;
}

static void reset(const Hospital *h)
{
    const Sizes *n = h->n;
    const State *s = h->state;
    const Stays *out = h->stays;
    fill(out->request, n->stays);
    fill(out->admit, n->stays);
    fill(out->ready, n->stays);
    fill(out->depart, n->stays);
    memset(out->used_ward, 0xff, (size_t)n->stays * sizeof *out->used_ward);
    memset(out->status, NOT_ARRIVED, (size_t)n->patients);
    memset(s->later, 0xff, (size_t)(n->buckets + 1) * sizeof *s->later);
    s->now[SOON] = s->now[GRANTED] = s->now[OPEN] = 0;
    memset(s->first, 0xff, (size_t)(n->wards * n->ranks) * sizeof *s->first);
    memset(s->last, 0xff, (size_t)(n->wards * n->ranks) * sizeof *s->last);
    memset(s->waiting_in, 0, (size_t)(n->wards * n->wards) * sizeof *s->waiting_in);
    for (int64_t w = 0; w < n->wards; w++) {
        s->queue[w] = s->census[w] = s->blocked[w] = 0;
        staff(h, w, h->rules->beds[w]);
    }
    for (int64_t p = 0; p < n->census; p++) {
        int64_t ward = h->drawn->seat[p], stay = h->drawn->offset[p];
        out->status[p] = IN_SYSTEM;
        if (ward != NOWHERE) {
            s->census[ward]++;
            out->used_ward[stay] = (int32_t)ward;
            out->request[stay] = out->admit[stay] = h->drawn->admitted[p];
        }
    }
}

static int64_t next_event(const Hospital *h, int64_t change, int64_t arrival, double *time)
{
    const State *s = h->state;
    double now = h->n->hours;
    int64_t kind = -1;
    if (arrival < h->n->patients && h->drawn->arrival[arrival] < now) {
        now = h->drawn->arrival[arrival];
        kind = ARRIVAL;
    }
    open_buckets(h, now);
    int64_t last = s->now[SOON] - 1;
    if (last >= 0 && s->soon_time[last] <= now) {
        now = s->soon_time[last];
        kind = s->soon[last] < h->n->capacity ? END_OF_STAY : PATIENCE;
    }
    if (change < h->n->changes) {
        double hour = h->rules->change_hour[change];
        if (hour < now || (hour == now && kind >= 0)) {
            now = hour;
            kind = CAPACITY;
        }
    }
    *time = now;
    return kind;
}

void simulate(const Sizes *n, const Rules *rules, const Trajectories *drawn, const Stays *stays, const State *s)
{
    Hospital hospital = {n, rules, drawn, stays, s, (double)n->buckets / n->hours}, *h = &hospital;
    int64_t begun = 0, change = 0, arrival = n->census;
    reset(h);
    for (;;) {
        Effect effect = NOTHING;
        double now = 0.0;
        int64_t kind = begun == n->census ? next_event(h, change, arrival, &now) : NOWHERE;
        if (begun < n->census) {
            effect = begin(h, begun++);
        } else if (kind == CAPACITY) {
            effect.freed = rules->change_ward[change];
            staff(h, effect.freed, rules->change_beds[change++]);
        } else if (kind == END_OF_STAY) {
            effect = end_stay(h, pop(s), now, now);
        } else if (kind == PATIENCE) {
            give_up(h, pop(s) - h->n->capacity, now);
        } else if (kind == ARRIVAL) {
            effect = arrive(h, arrival++, now);
        } else {
            return;
        }
        int64_t taken = 0;
        for (;;) {
            int64_t admitted;
            if (effect.freed != NOWHERE)
                serve(h, effect.freed);
            if (effect.asking != NOWHERE) {
                int64_t p = effect.asking;
                effect.asking = NOWHERE;
                admitted = request_bed(h, p, now, effect.asked) ? p : NOWHERE;
            } else if (taken < s->now[GRANTED] && begun == n->census) {
                admitted = s->granted[taken++];
            } else {
                break;
            }
            effect.freed = admitted != NOWHERE ? admit(h, admitted, now) : NOWHERE;
        }
        if (begun == n->census)
            s->now[GRANTED] = 0;
    }
}
