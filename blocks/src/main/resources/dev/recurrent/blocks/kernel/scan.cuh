// Scans over time of affine maps, h -> factor * h + term, of [B, T, E], each channel on its own, in
// fp32, forwards or backwards in time.
//
// A block owns LANES * CHANNELS channels of one row, CHANNELS neighbours a lane, and walks its
// segment of time in tiles. A tile is cut over the block's teams of LANES threads: each keeps its
// STEPS tokens in registers, reads those of the next tile meanwhile, and tells the others through
// shared memory which map its tokens make up; folding what the teams before it told gives the state
// that it really starts from. Where rows and channels alone leave multiprocessors idle, a row has several segments: first
// `summarize` finds which map each is, then `carry` what enters each. Every order is fixed, so
// equal inputs give equal bits.
//
// Constants: LANES (32 or 16), CHANNELS (a divisor of E), STEPS (at most LANES), MOST_TEAMS (of a
// block), POSITIONS (1 if documents start or padding stands inside rows).

// A lane's channels.
struct State {
    float at[CHANNELS];

    __device__ __forceinline__ static State all(float value) {
        State state;
#pragma unroll
        for (int c = 0; c < CHANNELS; ++c) {
            state.at[c] = value;
        }
        return state;
    }

    // Zero without an address.
    __device__ __forceinline__ static State from(const float* address) {
        State state = all(0);
        if (address != nullptr) {
            const Pack<float, CHANNELS> pack = read<CHANNELS>(address);
#pragma unroll
            for (int c = 0; c < CHANNELS; ++c) {
                state.at[c] = pack.get(c);
            }
        }
        return state;
    }
};

struct alignas(8 * CHANNELS) Map {
    State factor;
    State term;

    __device__ __forceinline__ static Map identity() { return {State::all(1), State::all(0)}; }

    __device__ __forceinline__ void follow(int channel, float nextFactor, float nextTerm) {
        factor.at[channel] *= nextFactor;
        term.at[channel] = fmaf(nextFactor, term.at[channel], nextTerm);
    }

    __device__ __forceinline__ void apply(State& state) const {
#pragma unroll
        for (int c = 0; c < CHANNELS; ++c) {
            state.at[c] = fmaf(factor.at[c], state.at[c], term.at[c]);
        }
    }
};

// Where a block and its thread stand, and the order in which they go through time. Grid: rows *
// groups of channels, segments. Block: LANES, teams.
template <bool BACKWARDS>
struct Walk {
    int length;
    int width;
    long long row;
    int channel;  // beyond the last, the first, to be read in vain
    bool inside;  // whether there is such a channel, to be written too
    int begin;  // of the segment
    int steps;  // of the segment

    __device__ __forceinline__ Walk(int length, int width, int segmentLength)
            : length(length), width(width) {
        const int groups = (width + LANES * CHANNELS - 1) / (LANES * CHANNELS);
        const int wanted = (blockIdx.x % groups * LANES + threadIdx.x) * CHANNELS;
        row = blockIdx.x / groups;
        inside = wanted < width;
        channel = inside ? wanted : 0;
        begin = blockIdx.y * segmentLength;
        steps = min(length - begin, segmentLength);
    }

    // A step beyond the last is read in vain, so that all loads are on their way before one is
    // waited for.
    __device__ __forceinline__ int known(int step) const { return min(step, steps - 1); }

    __device__ __forceinline__ int token(int step) const {
        return begin + (BACKWARDS ? steps - 1 - step : step);
    }

    // Walking backwards, the step of the token before; a row's first token has none and stands for
    // it.
    __device__ __forceinline__ int before(int step) const {
        return min(step + 1, begin == 0 ? steps - 1 : steps);
    }

    __device__ __forceinline__ bool startsRow(int step) const { return token(step) == 0; }

    // Of the channel in [B, E].
    __device__ __forceinline__ long long cell() const { return row * width + channel; }

    // Of the channel in [B, segments, E].
    __device__ __forceinline__ long long segmentCell() const {
        return (row * gridDim.y + blockIdx.y) * width + channel;
    }

    __device__ __forceinline__ bool reachesEnd() const {
        return BACKWARDS ? begin == 0 : begin + steps == length;
    }

    // Whether this thread speaks for the channel.
    __device__ __forceinline__ bool speaks() const { return inside && threadIdx.y == 0; }
};

// Where a lane's channels lie in memory, step by step: one multiplication finds a step.
template <typename T>
struct Line {
    T* start;
    int bytes;  // from a step to the next

    // `row` is where the row's tokens begin, `stride` elements each, for the lane's first channel.
    template <bool BACKWARDS>
    __device__ __forceinline__ Line(
            const Walk<BACKWARDS>& walk, T* base, long long row, int stride)
            : start(base + row + (long long)walk.token(0) * stride),
              bytes((BACKWARDS ? -stride : stride) * (int)sizeof(T)) {}

    // Of a tensor [B, T, E].
    template <bool BACKWARDS>
    __device__ __forceinline__ Line(const Walk<BACKWARDS>& walk, T* base)
            : Line(walk, base, walk.row * walk.length * walk.width + walk.channel, walk.width) {}

    __device__ __forceinline__ T* at(int step) const {
        return (T*)((unsigned long long)start + (long long)step * bytes);
    }

    __device__ __forceinline__ auto get(int step) const { return read<CHANNELS>(at(step)); }

    __device__ __forceinline__ void set(int step, const State& values) const {
        write<CHANNELS>(at(step), values.at);
    }
};

// A lane's position of a team's tokens, as it lies in memory.
struct RawMarks {
#if POSITIONS
    long long position;
#endif

    template <bool BACKWARDS>
    __device__ __forceinline__ void fetch(
            const Walk<BACKWARDS>& walk, const long long* positions, int first) {
#if POSITIONS
        const int token = walk.token(walk.known(first + (int)threadIdx.x));
        position = positions[walk.row * walk.length + token];
#endif
    }
};

// What stands where among a team's tokens.
struct Marks {
    int count;  // of tokens
    unsigned int padding = 0;  // a bit for each
    unsigned int starts = 0;

    // Without positions, a document starts at the first token of every row, or nowhere.
    template <bool BACKWARDS>
    __device__ __forceinline__ Marks(
            const Walk<BACKWARDS>& walk, const RawMarks& raw, int first, bool fresh)
            : count(walk.steps - first) {
#if POSITIONS
        // A warp may be two teams.
        const int shift = LANES * threadIdx.y % 32;
        padding = __ballot_sync(0xffffffffu, raw.position < 0) >> shift;
        starts = __ballot_sync(0xffffffffu, raw.position == 0) >> shift;
#else
        const int beginning = BACKWARDS ? walk.steps - 1 - first : -first;
        const bool here = fresh && walk.begin == 0 && beginning >= 0 && beginning < STEPS;
        starts = here ? 1u << beginning : 0;
#endif
    }

    __device__ __forceinline__ bool inside(int i) const { return i < count; }

    __device__ __forceinline__ bool real(int i) const {
        return i < count && !(POSITIONS && (padding >> i & 1));
    }

    __device__ __forceinline__ bool start(int i) const { return starts >> i & 1; }

    // Whether there is nothing to look at: STEPS tokens inside a document.
    __device__ __forceinline__ bool plain() const {
        return count >= STEPS && ((padding | starts) & 0xffffffffu >> (32 - STEPS)) == 0;
    }
};

// The marks of tokens that have none.
struct NoMarks {
    __device__ __forceinline__ static constexpr bool inside(int) { return true; }
    __device__ __forceinline__ static constexpr bool real(int) { return true; }
    __device__ __forceinline__ static constexpr bool start(int) { return false; }
};

// Walks a segment. A task has a `Raw`, a team's tokens as they lie in memory, which it can `fetch`;
// it tells which `map` they are, and can `finish` them once the state that enters them is known,
// both for tokens with marks and for those without, which most are.
// `h` is what enters the segment, and becomes what leaves it; the result is the segment's factor.
template <bool SUMMING, typename Task, bool BACKWARDS>
__device__ __forceinline__ State follow(Task& task, const Walk<BACKWARDS>& walk, State& h) {
    // Two of each, since a fast team is already in the next tile while a slow one still reads.
    __shared__ Map told[2][MOST_TEAMS][LANES];
    const int lane = threadIdx.x;
    const int team = threadIdx.y;
    const int teams = blockDim.y;
    const int tileSteps = teams * STEPS;
    State total = State::all(1);
    int buffer = 0;
    typename Task::Raw next;
    task.fetch(next, walk, team * STEPS);
    for (int tile = 0; tile < walk.steps; tile += tileSteps) {
        const int first = tile + team * STEPS;
        const typename Task::Raw raw = next;
        if (tile + tileSteps < walk.steps) {
            task.fetch(next, walk, first + tileSteps);
        }
        const Marks marks(walk, raw.marks, first, task.fresh);
        const bool plain = marks.plain();
        told[buffer][team][lane] = plain ? task.map(raw, NoMarks()) : task.map(raw, marks);
        __syncthreads();
        State mine = h;
        for (int other = 0; other < teams; ++other) {
            const Map map = told[buffer][other][lane];
            if (other == team) {
                mine = h;
            }
            map.apply(h);
            if (SUMMING) {
#pragma unroll
                for (int c = 0; c < CHANNELS; ++c) {
                    total.at[c] *= map.factor.at[c];
                }
            }
        }
        buffer ^= 1;
        if (!SUMMING && plain) {
            task.finish(raw, NoMarks(), walk, first, mine);
        } else if (!SUMMING) {
            task.finish(raw, marks, walk, first, mine);
        }
    }
    return total;
}

// Leaves which map a segment is, factors and terms [B, segments, E].
template <bool BACKWARDS, typename Task>
__device__ __forceinline__ void summarizeSegment(
        Task& task, const Walk<BACKWARDS>& walk, float* factors, float* terms) {
    State h = State::all(0);
    const State total = follow<true>(task, walk, h);
    if (walk.speaks()) {
        write<CHANNELS>(factors + walk.segmentCell(), total.at);
        write<CHANNELS>(terms + walk.segmentCell(), h.at);
    }
}

// Walks from what enters each segment, [B, segments, E], and leaves what comes out of the last one
// in `leaving` [B, E]; zero enters, and nothing leaves, without the address.
template <bool BACKWARDS, typename Task>
__device__ __forceinline__ void scanSegment(
        Task& task, const Walk<BACKWARDS>& walk, const float* entering, float* leaving) {
    State h = State::from(entering == nullptr ? nullptr : entering + walk.segmentCell());
    follow<false>(task, walk, h);
    if (walk.speaks() && walk.reachesEnd() && leaving != nullptr) {
        write<CHANNELS>(leaving + walk.cell(), h.at);
    }
}

// From the maps of the segments [B, segments, E] and what enters a row [B, E], or zero without it,
// what enters each segment. Grid: enough blocks for B * E threads.
extern "C" __global__ void carry(
        const float* __restrict__ factors,
        const float* __restrict__ terms,
        const float* __restrict__ state,
        float* __restrict__ entering,
        int rows,
        int segments,
        int width,
        int backwards) {
    const long long at = (long long)blockIdx.x * blockDim.x + threadIdx.x;
    if (at >= (long long)rows * width) {
        return;
    }
    float h = state == nullptr ? 0 : state[at];
    const long long first = at / width * segments * width + at % width;
    for (int step = 0; step < segments; ++step) {
        const int segment = backwards ? segments - 1 - step : step;
        const long long cell = first + (long long)segment * width;
        entering[cell] = h;
        h = fmaf(factors[cell], h, terms[cell]);
    }
}
