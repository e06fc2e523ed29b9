// Chooses the next token of every row of logits [B, V]: the most probable, the lowest of equals, at
// temperature 0; else a draw after repetition penalty, temperature, top-k and top-p.
//
// Some blocks share a row until its most probable token is known; the last of them goes on alone.
// Probabilities count in integers, exp(-d / temperature) 2^42 for a token whose logit lies d below
// the greatest, so that sums are exact in any order and equal inputs give equal tokens. The bits of
// d >= 0 order as d does: the bounds of top-k and top-p are found digit by digit of them, through
// histograms of counts or masses. A mass goes into a histogram in three parts of 14 bits, whose
// sums over 2^18 tokens fit 32 bits. The random numbers are those of java.util.SplittableRandom.
//
// Constants: X_TYPE (of the logits).

typedef unsigned long long mass_t;

constexpr int LANES = 32;
constexpr int WARPS = 32;
constexpr int THREADS = LANES * WARPS;
constexpr int BINS = 2048;
constexpr int PARTS = 3;  // of a mass
constexpr int PART_BITS = 14;
constexpr unsigned int ALL = 0xffffffffu;
constexpr unsigned int INFINITE = 0x7f800000u;
constexpr mass_t ALL_ONES = ~(mass_t)0;
constexpr int PACK = 16 / sizeof(X_TYPE);  // neighbours that are read at once

// Bits 30 to 20, 19 to 9 and 8 to 0 of a distance.
constexpr int DIGITS = 3;

__device__ __forceinline__ int shiftOf(int digit) { return digit == 0 ? 20 : digit == 1 ? 9 : 0; }

// How a row is continued; one for each row, as the host wrote them.
struct Settings {
    float temperature;
    int topK;  // 0 for all
    double topP;  // 1 for all
    double penalty;  // 1 for none
};

struct Row {
    const X_TYPE* logits;
    unsigned char* seen;  // a byte for each id; none without a penalty
    int size;
    double penalty;
    float negativeSlope;  // -log2(e) / temperature
    float greatest;

    __device__ __forceinline__ float logit(int id) const {
        const float value = widen(logits[id]);
        return seen == nullptr || !seen[id] ? value : penalized(value);
    }

    __device__ __forceinline__ float penalized(float value) const {
        return (float)(value < 0 ? value * penalty : value / penalty);
    }

    // The bits of how far a token lies below the greatest.
    __device__ __forceinline__ unsigned int distance(int id) const {
        return __float_as_uint(fabsf(greatest - logit(id)));
    }

    // The weight's bits, shifted to where 2^42 stands for 1: conversions to 64 bits are slow.
    __device__ __forceinline__ mass_t mass(unsigned int distance) const {
        const float weight = exp2f(__uint_as_float(distance) * negativeSlope);
        const unsigned int bits = __float_as_uint(weight);
        const int shift = (int)(bits >> 23) - 127 - 23 + PARTS * PART_BITS;
        const mass_t mantissa = (bits & 0x7fffffu) | 0x800000u;
        const mass_t mass = shift >= 0 ? mantissa << shift : shift > -24 ? mantissa >> -shift : 0;
        return mass >> (PARTS * PART_BITS) ? ((mass_t)1 << (PARTS * PART_BITS)) - 1 : mass;
    }
};

// What the warps of a block tell one another.
struct Board {
    mass_t masses[WARPS];
    int ties[WARPS];
    mass_t before;
    unsigned int bin;
};

// The most probable of some tokens, met in the order of their ids.
struct Best {
    float logit;
    int id;
    bool broken;  // a logit was NaN or +infinity

    __device__ __forceinline__ void meet(float otherLogit, int otherId) {
        broken = broken || !(otherLogit < __uint_as_float(INFINITE));
        if (otherLogit > logit) {
            logit = otherLogit;
            id = otherId;
        }
    }

    // A number that is greater for a better token: the greatest of all says which token is the best
    // and how likely, whatever order they are met in. Above 0; ALL_ONES for a broken row.
    __device__ __forceinline__ mass_t key() const {
        const unsigned int bits = __float_as_uint(logit + 0.0f);  // -0 becomes 0
        const unsigned int order = bits >> 31 ? ~bits : bits | 0x80000000u;
        return broken ? ALL_ONES : (mass_t)order << 32 | ~(unsigned int)id;
    }

    __device__ __forceinline__ static Best of(mass_t key) {
        const unsigned int order = (unsigned int)(key >> 32);
        const unsigned int bits = order >> 31 ? order & 0x7fffffffu : ~order;
        return {__uint_as_float(bits), (int)~(unsigned int)key, key == ALL_ONES};
    }
};

__device__ __forceinline__ mass_t greatestOfWarp(mass_t value) {
    for (int away = LANES / 2; away > 0; away /= 2) {
        value = max(value, __shfl_xor_sync(ALL, value, away));
    }
    return value;
}

__device__ __forceinline__ mass_t sumOfWarp(mass_t value) {
    for (int away = LANES / 2; away > 0; away /= 2) {
        value += __shfl_xor_sync(ALL, value, away);
    }
    return value;
}

__device__ __forceinline__ mass_t sumUpToLane(mass_t value) {
    const int lane = threadIdx.x % LANES;
    for (int away = 1; away < LANES; away *= 2) {
        const mass_t other = __shfl_up_sync(ALL, value, away);
        value += lane >= away ? other : 0;
    }
    return value;
}

// What a row's blocks tell one another; all 0 before the first of them and after the last.
struct Progress {
    mass_t greatest;
    unsigned int arrived;
};

struct __align__(16) Pack {
    X_TYPE values[PACK];
};

// Lets `best` meet this block's share of the packs of a row from `first` on.
template <bool PENALTY>
__device__ __forceinline__ void meetPacks(const Row& row, int first, int packs, Best& best) {
    constexpr int AHEAD = PENALTY ? 1 : 2;  // loads under way
    const Pack* all = reinterpret_cast<const Pack*>(row.logits + first);
    const int stride = gridDim.x * THREADS;
    for (int p = blockIdx.x * THREADS + threadIdx.x; p < packs; p += AHEAD * stride) {
        Pack pack[AHEAD];
        int ids[AHEAD];
        unsigned char seen[PACK];
#pragma unroll
        for (int j = 0; j < AHEAD; ++j) {
            const int at = min(p + j * stride, packs - 1);  // to meet the last one again is no harm
            pack[j] = all[at];
            ids[j] = first + at * PACK;
        }
        if (PENALTY) {
#pragma unroll
            for (int i = 0; i < PACK; ++i) {
                seen[i] = row.seen[ids[0] + i];
            }
        }
#pragma unroll
        for (int j = 0; j < AHEAD; ++j) {
#pragma unroll
            for (int i = 0; i < PACK; ++i) {
                const float logit = widen(pack[j].values[i]);
                best.meet(PENALTY && seen[i] ? row.penalized(logit) : logit, ids[j] + i);
            }
        }
    }
}

// The best of this block's tokens, which all its threads learn. Packs begin at a multiple of their
// size; the first block takes what is before and after them as well.
__device__ mass_t best(const Row& row) {
    __shared__ mass_t keys[WARPS];
    Best mine = {-__uint_as_float(INFINITE), 0x7fffffff, false};
    const int misplaced = (int)((unsigned long long)row.logits / sizeof(X_TYPE) % PACK);
    const int before = min(row.size, (PACK - misplaced) % PACK);
    const int packs = (row.size - before) / PACK;
    const int after = before + packs * PACK;
    const int thread = threadIdx.x;
    if (blockIdx.x == 0 && thread < before) {
        mine.meet(row.logit(thread), thread);
    }
    if (row.seen == nullptr) {
        meetPacks<false>(row, before, packs, mine);
    } else {
        meetPacks<true>(row, before, packs, mine);
    }
    if (blockIdx.x == 0 && thread < row.size - after) {
        mine.meet(row.logit(after + thread), after + thread);
    }
    const mass_t ofWarp = greatestOfWarp(mine.key());
    const int lane = threadIdx.x % LANES;
    if (lane == 0) {
        keys[threadIdx.x / LANES] = ofWarp;
    }
    __syncthreads();
    return greatestOfWarp(keys[lane]);
}

// The best of a row's tokens in the last of its blocks, from each block's best; 0 in others.
__device__ mass_t bestOfBlocks(mass_t key, Progress& progress) {
    __shared__ mass_t greatest;
    if (gridDim.x == 1) {
        return key;
    }
    if (threadIdx.x == 0) {
        atomicMax(&progress.greatest, key);
    }
    if (!arrivesLast(&progress.arrived, gridDim.x)) {
        return 0;
    }
    if (threadIdx.x == 0) {
        greatest = atomicExch(&progress.greatest, 0ull);
    }
    __syncthreads();
    return greatest;
}

// Where a sum over tokens, the nearest first, reaches a target.
struct Bound {
    unsigned int distance;  // of the token that reaches it
    mass_t before;  // the sum over all that are nearer
};

// MASS says whether masses are summed, or tokens counted. Tokens farther than `limit` do not count.
template <bool MASS>
__device__ Bound bound(
        const Row& row,
        mass_t target,
        unsigned int limit,
        unsigned int (&bins)[PARTS][BINS],
        Board& board) {
    Bound found = {0, 0};
    const int lane = threadIdx.x % LANES;
    const int warp = threadIdx.x / LANES;
    for (int digit = 0; digit < DIGITS; ++digit) {
        const int shift = shiftOf(digit);
        const int width = digit == 0 ? 31 : shiftOf(digit - 1);  // bits that are not known yet
        __syncthreads();
        for (int i = threadIdx.x; i < PARTS * BINS; i += THREADS) {
            bins[i / BINS][i % BINS] = 0;
        }
        __syncthreads();
#pragma unroll 4
        for (int id = threadIdx.x; id < row.size; id += THREADS) {
            const unsigned int distance = row.distance(id);
            if (distance > limit || (distance ^ found.distance) >> width != 0) {
                continue;
            }
            const unsigned int bin = (distance & ((1u << width) - 1)) >> shift;
            if (!MASS) {
                atomicAdd(&bins[0][bin], 1u);
                continue;
            }
            mass_t mass = row.mass(distance);
            for (int part = 0; mass != 0; ++part, mass >>= PART_BITS) {
                const unsigned int low = (unsigned int)mass & ((1u << PART_BITS) - 1);
                atomicAdd(&bins[part][bin], low);
            }
        }
        __syncthreads();
        // Two bins a thread.
        mass_t own[2];
        for (int i = 0; i < 2; ++i) {
            const int bin = 2 * threadIdx.x + i;
            own[i] = bins[0][bin] + ((mass_t)bins[1][bin] << PART_BITS) +
                    ((mass_t)bins[2][bin] << 2 * PART_BITS);
        }
        const mass_t upTo = sumUpToLane(own[0] + own[1]);
        if (lane == LANES - 1) {
            board.masses[warp] = upTo;
        }
        __syncthreads();
        mass_t before = found.before + upTo - own[0] - own[1];
        for (int other = 0; other < warp; ++other) {
            before += board.masses[other];
        }
        for (int i = 0; i < 2; ++i) {
            if (before < target && before + own[i] >= target) {
                board.bin = 2 * threadIdx.x + i;
                board.before = before;
            }
            before += own[i];
        }
        __syncthreads();
        found.distance |= board.bin << shift;
        found.before = board.before;
    }
    return found;
}

__device__ mass_t totalMass(const Row& row, unsigned int limit, Board& board) {
    mass_t mine = 0;
#pragma unroll 8
    for (int id = threadIdx.x; id < row.size; id += THREADS) {
        const unsigned int distance = row.distance(id);
        mine += distance <= limit ? row.mass(distance) : 0;
    }
    mine = sumOfWarp(mine);
    __syncthreads();
    if (threadIdx.x % LANES == 0) {
        board.masses[threadIdx.x / LANES] = mine;
    }
    __syncthreads();
    mass_t total = 0;
    for (int other = 0; other < WARPS; ++other) {
        total += board.masses[other];
    }
    return total;
}

// What may be drawn: all tokens nearer than `distance`, and the first `ties` at it.
struct Nucleus {
    unsigned int distance;
    int ties;
    mass_t total;
};

__device__ Nucleus nucleus(
        const Row& row,
        const Settings& settings,
        unsigned int (&bins)[PARTS][BINS],
        Board& board) {
    unsigned int limit = INFINITE;
    if (settings.topK > 0 && settings.topK < row.size) {
        // Tokens equal to the k-th are kept.
        limit = bound<false>(row, settings.topK, INFINITE, bins, board).distance;
    }
    const mass_t total = totalMass(row, limit, board);
    if (settings.topP >= 1) {
        return {limit, row.size, total};
    }
    const mass_t wanted = (mass_t)ceil(settings.topP * (double)total);
    const mass_t target = wanted < 1 ? 1 : wanted > total ? total : wanted;
    // All tokens farther than this together have less than what top-p leaves out.
    const double least = (1 - settings.topP) * (double)total / row.size;
    const float farthest = (log2f((float)least) - PARTS * PART_BITS) / row.negativeSlope + 1e-3f;
    const unsigned int near = __float_as_uint(fmaxf(farthest, 0)) + 16;
    const Bound reached = bound<true>(row, target, min(limit, near), bins, board);
    const mass_t each = row.mass(reached.distance);  // not 0, since it reaches the target
    const mass_t ties = (target - reached.before + each - 1) / each;
    return {reached.distance, (int)ties, reached.before + ties * each};
}

// The token at which the masses, in the order of ids, exceed `rest`. Each round cuts the ids that
// are left into a stretch for each warp, and goes on with the one in which it happens.
__device__ int draw(const Row& row, const Nucleus& nucleus, mass_t rest, Board& board) {
    const int lane = threadIdx.x % LANES;
    const int warp = threadIdx.x / LANES;
    const mass_t each = row.mass(nucleus.distance);
    int left = nucleus.ties;
    int begin = 0;
    int end = row.size;
    while (end - begin > LANES) {
        const int stretch = (end - begin + THREADS - 1) / THREADS * LANES;
        const int own = begin + warp * stretch;
        const int ownEnd = min(end, own + stretch);
        mass_t nearer = 0;
        int ties = 0;
#pragma unroll 4
        for (int id = own + lane; id < ownEnd; id += LANES) {
            const unsigned int distance = row.distance(id);
            nearer += distance < nucleus.distance ? row.mass(distance) : 0;
            ties += distance == nucleus.distance;
        }
        nearer = sumOfWarp(nearer);
        ties = (int)sumOfWarp((mass_t)ties);
        __syncthreads();
        if (lane == 0) {
            board.masses[warp] = nearer;
            board.ties[warp] = ties;
        }
        __syncthreads();
        for (int other = 0; other < WARPS; ++other) {
            const int taken = min(left, board.ties[other]);
            const mass_t all = board.masses[other] + taken * each;
            if (rest < all) {
                begin += other * stretch;
                end = min(end, begin + stretch);
                break;
            }
            rest -= all;
            left -= taken;
        }
    }
    const int id = begin + lane;
    const unsigned int distance = id < end ? row.distance(id) : ALL;
    const bool tie = distance == nucleus.distance;
    const unsigned int equals = __ballot_sync(ALL, tie);
    const bool taken = tie && __popc(equals & ((1u << lane) - 1)) < left;
    const bool inside = distance < nucleus.distance;
    const mass_t upTo = sumUpToLane(inside ? row.mass(distance) : taken ? each : 0);
    return begin + __ffs(__ballot_sync(ALL, rest < upTo)) - 1;
}

// SplittableRandom.nextLong with the increment that a seed gives.
__device__ __forceinline__ mass_t nextRandom(mass_t& state) {
    state += 0x9e3779b97f4a7c15ull;
    mass_t z = state;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
}

// Writes each row's token to `tokens` [B], and to `told` [B] too, where -1 says that a logit is NaN
// or +infinity and -2 that none is finite; notes it in `seen` [B, V] or none, and moves the row's
// random numbers in `states` [B] on. `progress` [B]. Grid: any number, B. Block: THREADS.
extern "C" __global__ void __launch_bounds__(THREADS) sample(
        const X_TYPE* __restrict__ logits,
        const Settings* __restrict__ settings,
        unsigned char* __restrict__ seen,
        mass_t* __restrict__ states,
        Progress* progress,
        long long* __restrict__ tokens,
        long long* __restrict__ told,
        int size) {
    __shared__ unsigned int bins[PARTS][BINS];
    __shared__ Board board;
    const int at = blockIdx.y;
    const Settings& own = settings[at];
    Row row;
    row.logits = logits + (long long)at * size;
    row.size = size;
    row.seen = nullptr;
    row.penalty = 1;
    if (seen != nullptr && own.penalty != 1) {
        row.seen = seen + (long long)at * size;
        row.penalty = own.penalty;
    }
    const mass_t key = bestOfBlocks(best(row), progress[at]);
    if (key == 0) {
        return;
    }
    const Best top = Best::of(key);
    const bool none = top.logit == -__uint_as_float(INFINITE);
    long long answer = top.broken ? -1 : none ? -2 : top.id;
    if (answer >= 0 && own.temperature > 0) {
        row.negativeSlope = -1.44269504f / own.temperature;
        row.greatest = top.logit;
        const Nucleus candidates = nucleus(row, own, bins, board);
        mass_t state = states[at];
        const mass_t random = nextRandom(state);
        __syncthreads();
        if (threadIdx.x == 0) {
            states[at] = state;
        }
        answer = draw(row, candidates, __umul64hi(random, candidates.total), board);
    }
    if (threadIdx.x == 0) {
        told[at] = answer;
        tokens[at] = answer < 0 ? 0 : answer;
        if (row.seen != nullptr && answer >= 0) {
            row.seen[answer] = 1;
        }
    }
}
