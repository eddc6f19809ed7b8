/* Contend later, in plain C: kaizar_pipeline/simulation/kernel/events.py function by function, with the same heap, queues
 * and arrays, as a yardstick for the compiled engine. Built and called by benchmarks/engines.py; equal to it bit for bit.
 *
 * The structs hold the arrays of the named tuples of the same names, in their order; see there for their meaning.
 */

#include <math.h>
#include <stdint.h>
#include <string.h>

enum { CAPACITY, END_OF_STAY, PATIENCE, ARRIVAL };
enum { IN_CARE, DELAYED, WAITING, GRANTED };
enum { NOT_ARRIVED, IN_SYSTEM, DISCHARGED, DIVERTED, LEFT };
enum { NOWHERE = -1, UNSEEN = -2, KIND = 40 };

typedef struct {
    int64_t wards, ranks, changes, stops, types, census, patients, stays;
    double hours;
} Sizes;

typedef struct {
    int64_t *beds;
    double *change_hour;
    int64_t *change_ward, *change_beds;
    uint8_t *holds_bed;
    double *overflow_threshold;
    int64_t *first_overflow, *overflow_ward, *stop_ward;
    double *stop_threshold;
    uint8_t *stop_types;
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
    double *heap_time;
    int64_t *heap_code, *size;
    int32_t *granted, *stay, *held, *ward;
    int8_t *doing;
    int32_t *behind, *ahead, *first, *last;
    int64_t *queue, *census, *beds;
    int32_t *waiting_in;
    int64_t *blocked, *came_from, *to_visit;
} State;

typedef struct {
    const Sizes *n;
    const Rules *rules;
    const Trajectories *drawn;
    const Stays *stays;
    const State *state;
} Hospital;

/* What an event sets off: a ward with a bed freed, a patient who asks for one, since when. */
typedef struct {
    int64_t freed, asking;
    double asked;
} Effect;

static const Effect NOTHING = {NOWHERE, NOWHERE, 0.0};

/* The heap of ends of stays and of patience */

static void push(const State *s, double time, int64_t kind, int64_t p)
{
    int64_t code = kind << KIND | p, hole = s->size[0]++;
    while (hole > 0) {
        int64_t parent = (hole - 1) >> 1;
        if (s->heap_time[parent] < time || (s->heap_time[parent] == time && s->heap_code[parent] < code))
            break;
        s->heap_time[hole] = s->heap_time[parent];
        s->heap_code[hole] = s->heap_code[parent];
        hole = parent;
    }
    s->heap_time[hole] = time;
    s->heap_code[hole] = code;
}

static int64_t pop(const State *s)
{
    int64_t patient = s->heap_code[0] & (((int64_t)1 << KIND) - 1), size = --s->size[0];
    double time = s->heap_time[size];
    int64_t moving = s->heap_code[size], hole = 0, child = 1;
    while (child < size) {
        int64_t right = child + 1;
        if (right < size && (s->heap_time[right] < s->heap_time[child] ||
                             (s->heap_time[right] == s->heap_time[child] && s->heap_code[right] < s->heap_code[child])))
            child = right;
        s->heap_time[hole] = s->heap_time[child];
        s->heap_code[hole] = s->heap_code[child];
        hole = child;
        child = 2 * child + 1;
    }
    while (hole > 0) {
        int64_t parent = (hole - 1) >> 1;
        if (s->heap_time[parent] < time || (s->heap_time[parent] == time && s->heap_code[parent] < moving))
            break;
        s->heap_time[hole] = s->heap_time[parent];
        s->heap_code[hole] = s->heap_code[parent];
        hole = parent;
    }
    s->heap_time[hole] = time;
    s->heap_code[hole] = moving;
    return patient;
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
    s->doing[p] = WAITING;
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

static int is_at(const State *s, int64_t ward, double threshold)
{
    return threshold < INFINITY && (double)s->census[ward] >= ceil(threshold * (double)s->beds[ward] - 1e-9);
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
    s->doing[p] = GRANTED;
    s->granted[s->size[1]++] = (int32_t)p;
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
    if (is_at(h->state, ward, r->overflow_threshold[ward]))
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

static int64_t go_home(const Hospital *h, int64_t p, double now)
{
    int64_t stay = h->state->stay[p];
    h->stays->status[p] = DISCHARGED;
    return leave_bed(h, stay, h->stays->used_ward[stay], now);
}

static Effect leave_care(const Hospital *h, int64_t p, double now, double asked)
{
    const State *s = h->state;
    int64_t stay = s->stay[p], ward = h->stays->used_ward[stay];
    h->stays->ready[stay] = now;
    if (stay + 1 == h->drawn->offset[p + 1]) {
        if (h->drawn->delay[stay] > 0) {
            s->doing[p] = DELAYED;
            push(s, now + h->drawn->delay[stay], END_OF_STAY, p);
            return NOTHING;
        }
        return (Effect){go_home(h, p, now), NOWHERE, 0.0};
    }
    s->stay[p] = (int32_t)(stay + 1);
    if (h->rules->holds_bed[ward]) {
        s->held[p] = (int32_t)ward;
        return (Effect){NOWHERE, p, asked};
    }
    return (Effect){leave_bed(h, stay, ward, now), p, asked};
}

static Effect end_stay(const Hospital *h, int64_t p, double now)
{
    if (h->state->doing[p] == DELAYED)
        return (Effect){go_home(h, p, now), NOWHERE, 0.0};
    return leave_care(h, p, now, now);
}

static Effect begin(const Hospital *h, int64_t p)
{
    const State *s = h->state;
    int64_t stay = h->drawn->offset[p];
    s->stay[p] = (int32_t)stay;
    s->held[p] = NOWHERE;
    if (h->drawn->seat[p] == NOWHERE)
        return (Effect){NOWHERE, p, h->drawn->requested[p]};
    if (h->drawn->los[stay] > 0) {
        s->doing[p] = IN_CARE;
        push(s, h->drawn->los[stay], END_OF_STAY, p);
        return NOTHING;
    }
    return leave_care(h, p, 0.0, h->drawn->requested[p]);
}

static Effect arrive(const Hospital *h, int64_t p, double now)
{
    const Rules *r = h->rules;
    int64_t stay = h->drawn->offset[p];
    h->state->stay[p] = (int32_t)stay;
    h->state->held[p] = NOWHERE;
    for (int64_t stop = 0; stop < h->n->stops; stop++)
        if (r->stop_types[stop * h->n->types + h->drawn->patient_type[p]] &&
            is_at(h->state, r->stop_ward[stop], r->stop_threshold[stop])) {
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
    if (s->doing[p] == WAITING && stay == h->drawn->offset[p]) {
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
        s->ward[p] = (int32_t)ward;
        return 1;
    }
    if (asked >= 0)
        ward = overflow(h, ward);
    s->ward[p] = (int32_t)ward;
    if (has_free_bed(s, ward)) {
        move_to(s, p, ward);
        return 1;
    }
    join_queue(h, p, ward);
    if (held != NOWHERE) {
        s->blocked[held]++;
        if (++s->waiting_in[held * h->n->wards + ward] == 1 && s->blocked[ward] > 0)
            exchange(h, held, ward);
    }
    if (stay == h->drawn->offset[p] && h->drawn->patience[p] < INFINITY)
        push(s, now + h->drawn->patience[p], PATIENCE, p);
    return 0;
}

static int64_t admit(const Hospital *h, int64_t p, double now)
{
    const State *s = h->state;
    int64_t stay = s->stay[p], held = s->held[p];
    h->stays->used_ward[stay] = s->ward[p];
    h->stays->admit[stay] = now;
    if (held != NOWHERE) {
        h->stays->depart[stay - 1] = now;
        s->held[p] = NOWHERE;
    }
    s->doing[p] = IN_CARE;
    push(s, now + h->drawn->los[stay], END_OF_STAY, p);
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
    s->size[0] = s->size[1] = 0;
    memset(s->first, 0xff, (size_t)(n->wards * n->ranks) * sizeof *s->first);
    memset(s->last, 0xff, (size_t)(n->wards * n->ranks) * sizeof *s->last);
    memset(s->waiting_in, 0, (size_t)(n->wards * n->wards) * sizeof *s->waiting_in);
    for (int64_t w = 0; w < n->wards; w++) {
        s->queue[w] = s->census[w] = s->blocked[w] = 0;
        s->beds[w] = h->rules->beds[w];
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
    if (s->size[0] > 0 && (s->heap_time[0] < now || (s->heap_time[0] == now && kind == ARRIVAL))) {
        now = s->heap_time[0];
        kind = s->heap_code[0] >> KIND;
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
    Hospital hospital = {n, rules, drawn, stays, s}, *h = &hospital;
    int64_t begun = 0, change = 0, arrival = n->census;
    reset(h);
    for (;;) {
        Effect effect = NOTHING;
        double now;
        int64_t kind = next_event(h, change, arrival, &now);
        if (begun < n->census) {
            now = 0.0;
            effect = begin(h, begun++);
        } else if (kind == CAPACITY) {
            effect.freed = rules->change_ward[change];
            s->beds[effect.freed] = rules->change_beds[change++];
        } else if (kind == END_OF_STAY) {
            effect = end_stay(h, pop(s), now);
        } else if (kind == PATIENCE) {
            give_up(h, pop(s), now);
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
            } else if (taken < s->size[1] && begun == n->census) {
                admitted = s->granted[taken++];
            } else {
                break;
            }
            effect.freed = admitted != NOWHERE ? admit(h, admitted, now) : NOWHERE;
        }
        if (begun == n->census)
            s->size[1] = 0;
    }
}
