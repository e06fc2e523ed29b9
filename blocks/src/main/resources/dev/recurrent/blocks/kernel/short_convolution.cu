// The causal depthwise convolution of TAPS tokens over [B, T, C], y_t = b + sum_k w_k x_{t-TAPS+1+k}
// (arXiv 2402.19427, section 2.4), with SiLU and the L2 norm of heads if wanted, and its gradients,
// which compute it again.
//
// A warp owns a group of channels, VECTOR neighbours a lane in each of ITEMS rounds, and walks a run
// of tokens with the last TAPS of x in registers, reading the next STEPS meanwhile. Channels are
// those from `first` on, `span` of them; they lie in parts of `partWidth`, results y0 and y1, dense
// [B, T, partWidth]. With NORMALIZE a group is a head, and each token's is divided by its length.
// A token sees only its own document; at padding results are not specified, gradients 0.
//
// Constants: X_TYPE (of x, states and results), W_TYPE (of weights and bias), each float or bfloat16;
// TAPS, VECTOR, ITEMS, STEPS, WARPS (of a block), SILU, NORMALIZE, POSITIONS (1 if documents start or
// padding stands inside rows).

constexpr int LANES = 32;
constexpr int MEMORY = TAPS - 1;
constexpr int OWN = VECTOR * ITEMS;  // channels of a lane
constexpr float EPSILON = 1e-6f;

__device__ __forceinline__ float sumOfWarp(float value) {
#pragma unroll
    for (int distance = LANES / 2; distance > 0; distance /= 2) {
        value += __shfl_xor_sync(0xffffffffu, value, distance);
    }
    return value;
}

// Sizes, the same for all threads.
struct Sizes {
    int length;
    int width;  // C
    long long stride;  // from a token of x to the next
    int first;
    int span;
    int partWidth;
    int groupWidth;
    int runLength;
};

// Where a warp stands. Grid: rows * blocks of runs * groups, groups first. Block: 32, WARPS.
struct Place {
    Sizes sizes;
    long long row;
    int block;  // of runs, over all rows
    int begin;
    int end;
    int part;
    int channel[ITEMS];  // of [C], each lane's first
    bool inside[ITEMS];  // whether there is such a channel; else the group's first is read in vain

    __device__ __forceinline__ explicit Place(const Sizes& sizes) : sizes(sizes) {
        const int groups = (sizes.span + sizes.groupWidth - 1) / sizes.groupWidth;
        const int tokens = WARPS * sizes.runLength;
        const int blocks = (sizes.length + tokens - 1) / tokens;
        const int base = blockIdx.x % groups * sizes.groupWidth;
        block = blockIdx.x / groups;
        row = block / blocks;
        begin = block % blocks * tokens + threadIdx.y * sizes.runLength;
        end = min(sizes.length, begin + sizes.runLength);
        part = base / sizes.partWidth;
        const int width = min(sizes.groupWidth, sizes.span - base);
#pragma unroll
        for (int item = 0; item < ITEMS; ++item) {
            const int local = (item * LANES + threadIdx.x) * VECTOR;
            inside[item] = local < width;
            channel[item] = sizes.first + base + (inside[item] ? local : 0);
        }
    }

    __device__ __forceinline__ long long token(int t) const { return row * sizes.length + t; }

    // In x.
    __device__ __forceinline__ long long input(int t, int item) const {
        return token(t) * sizes.stride + channel[item];
    }

    // In the part's results.
    __device__ __forceinline__ long long output(int t, int item) const {
        const int start = sizes.first + part * sizes.partWidth;
        return token(t) * sizes.partWidth + channel[item] - start;
    }

    // In states [B, W-1, C].
    __device__ __forceinline__ long long slot(int i, int item) const {
        return (row * MEMORY + i) * sizes.width + channel[item];
    }
};

// Tokens of x, and positions, as they lie in memory.
struct Raw {
    Pack<X_TYPE, VECTOR> x[STEPS][ITEMS];
#if POSITIONS
    int position[STEPS];
#endif

    __device__ __forceinline__ void fetch(
            const Place& place, const X_TYPE* from, const long long* positions, int t) {
#pragma unroll
        for (int i = 0; i < STEPS; ++i) {
            const int known = min(t + i, place.sizes.length - 1);
#pragma unroll
            for (int item = 0; item < ITEMS; ++item) {
                x[i][item] = read<VECTOR>(from + place.input(known, item));
            }
#if POSITIONS
            // A row is not as long as 2^31 tokens: half of the number is enough.
            position[i] = *(const int*)(positions + place.token(known));
#endif
        }
    }

    // Whether the token that many steps before is of the same document; of padding, none is.
    __device__ __forceinline__ bool sees(int i, int steps) const {
#if POSITIONS
        return position[i] >= steps;
#else
        return true;
#endif
    }

    // Whether that is so for all of them.
    __device__ __forceinline__ bool plain() const {
        bool all = true;
#pragma unroll
        for (int i = 0; i < STEPS; ++i) {
            all = all && sees(i, MEMORY);
        }
        return all;
    }
};

// The convolution's weights and the tokens it sees, of a lane's channels.
struct Filter {
    float weight[TAPS][OWN];
    float bias[OWN];
    float window[TAPS][OWN];  // the newest last

    __device__ __forceinline__ Filter(
            const Place& place,
            const X_TYPE* x,
            const W_TYPE* weights,
            const W_TYPE* biases,
            const X_TYPE* state,
            const long long* positions) {
#pragma unroll
        for (int own = 0; own < OWN; ++own) {
            const int channel = place.channel[own / VECTOR] + own % VECTOR;
            bias[own] = biases == nullptr ? 0 : widen(biases[channel]);
#pragma unroll
            for (int tap = 0; tap < TAPS; ++tap) {
                weight[tap][own] = widen(weights[(long long)channel * TAPS + tap]);
            }
        }
        const int first = min(place.begin, place.sizes.length - 1);
        const long long known = POSITIONS ? positions[place.token(first)] : MEMORY;
#pragma unroll
        for (int steps = 1; steps <= MEMORY; ++steps) {
            const int token = first - steps;
#pragma unroll
            for (int own = 0; own < OWN; ++own) {
                const int item = own / VECTOR;
                float value = 0;
                if (known >= steps && token >= 0) {
                    value = widen(x[place.input(token, item) + own % VECTOR]);
                } else if (known >= steps && state != nullptr) {
                    value = widen(state[place.slot(token + MEMORY, item) + own % VECTOR]);
                }
                window[TAPS - steps][own] = value;
            }
        }
    }

    // Takes the next token in, which starts a document or not.
    __device__ __forceinline__ void push(const Raw& raw, int i, bool starts) {
#pragma unroll
        for (int own = 0; own < OWN; ++own) {
#pragma unroll
            for (int tap = 0; tap < MEMORY; ++tap) {
                window[tap][own] = starts ? 0 : window[tap + 1][own];
            }
            window[MEMORY][own] = raw.x[i][own / VECTOR].get(own % VECTOR);
        }
    }

    __device__ __forceinline__ float value(int own) const {
        float sum = bias[own];
#pragma unroll
        for (int tap = 0; tap < TAPS; ++tap) {
            sum = fmaf(weight[tap][own], window[tap][own], sum);
        }
        return sum;
    }
};

// Which of a row's inputs its new state has: slot i the token `real` + i - MEMORY, if that is of the
// row's last document.
struct Ending {
    int real = 0;  // tokens that are not padding
    long long position = MEMORY;  // of the last of them

    __device__ __forceinline__ Ending(
            const Place& place, const long long* positions, const long long* lengths) {
#if POSITIONS
        real = (int)lengths[place.row];
        position = real > 0 ? positions[place.token(real - 1)] : MEMORY;
#else
        real = place.sizes.length;
#endif
    }

    __device__ __forceinline__ int token(int slot) const { return real + slot - MEMORY; }

    __device__ __forceinline__ bool has(int slot) const {
        return slot >= 0 && slot < MEMORY && position >= MEMORY - 1 - slot;
    }
};

__device__ __forceinline__ void writeState(
        const Place& place,
        const X_TYPE* x,
        const X_TYPE* state,
        const Ending& ending,
        X_TYPE* newState) {
    for (int slot = 0; slot < MEMORY; ++slot) {
        const int token = ending.token(slot);
#pragma unroll
        for (int own = 0; own < OWN; ++own) {
            const int item = own / VECTOR;
            X_TYPE value = narrow<X_TYPE>(0);
            if (ending.has(slot) && token >= 0) {
                value = x[place.input(token, item) + own % VECTOR];
            } else if (ending.has(slot) && state != nullptr) {
                value = state[place.slot(token + MEMORY, item) + own % VECTOR];
            }
            if (place.inside[item]) {
                newState[place.slot(slot, item) + own % VECTOR] = value;
            }
        }
    }
}

// Convolves STEPS tokens from t on; PLAIN ones are all inside the run and see MEMORY before them.
template <bool PLAIN>
__device__ __forceinline__ void convolveTokens(
        const Place& place, Filter& filter, const Raw& raw, X_TYPE* y, int t) {
#pragma unroll
    for (int i = 0; i < STEPS; ++i) {
        filter.push(raw, i, !PLAIN && MEMORY > 0 && !raw.sees(i, 1));
        float values[OWN];
        float squares = 0;
#pragma unroll
        for (int own = 0; own < OWN; ++own) {
            const float value = filter.value(own);
            values[own] = SILU ? value * sigmoidOfPower(-LOG2_E * value) : value;
            squares += place.inside[own / VECTOR] ? values[own] * values[own] : 0;
        }
        if (NORMALIZE) {
            const float scale = reciprocalRoot(sumOfWarp(squares) + EPSILON);
#pragma unroll
            for (int own = 0; own < OWN; ++own) {
                values[own] *= scale;
            }
        }
#pragma unroll
        for (int item = 0; item < ITEMS; ++item) {
            if (place.inside[item] && (PLAIN || t + i < place.end)) {
                write<VECTOR>(y + place.output(t + i, item), values + item * VECTOR);
            }
        }
    }
}

extern "C" __global__ void __launch_bounds__(LANES * WARPS) convolve(
        const X_TYPE* __restrict__ x,
        const W_TYPE* __restrict__ weights,
        const W_TYPE* __restrict__ biases,
        const X_TYPE* __restrict__ state,
        const long long* __restrict__ positions,
        const long long* __restrict__ lengths,
        X_TYPE* __restrict__ y0,
        X_TYPE* __restrict__ y1,
        X_TYPE* __restrict__ newState,
        int length,
        int width,
        long long stride,
        int first,
        int span,
        int partWidth,
        int groupWidth,
        int runLength) {
    const Place place({length, width, stride, first, span, partWidth, groupWidth, runLength});
    if (place.begin >= length) {
        return;
    }
    X_TYPE* y = place.part == 0 ? y0 : y1;
    Raw next;
    next.fetch(place, x, positions, place.begin);
    Filter filter(place, x, weights, biases, state, positions);
    for (int t = place.begin; t < place.end; t += STEPS) {
        const Raw raw = next;
        if (t + STEPS < place.end) {
            next.fetch(place, x, positions, t + STEPS);
        }
if (t + STEPS <= place.end && raw.plain()) {
            convolveTokens<true>(place, filter, raw, y, t);
        } else {
            convolveTokens<false>(place, filter, raw, y, t);
        }
    }
    if (place.end == length) {
        writeState(place, x, state, Ending(place, positions, lengths), newState);
    }
}

// Tokens of the results' gradient as they lie in memory.
struct RawGradient {
    Pack<X_TYPE, VECTOR> dy[STEPS][ITEMS];

    __device__ __forceinline__ void fetch(const Place& place, const X_TYPE* from, int t) {
#pragma unroll
        for (int i = 0; i < STEPS; ++i) {
            const int known = min(t + i, place.sizes.length - 1);
#pragma unroll
            for (int item = 0; item < ITEMS; ++item) {
                dy[i][item] = read<VECTOR>(from + place.output(known, item));
            }
        }
    }
};

// From the gradient of a token's results to that of the convolution's values.
__device__ __forceinline__ void differentiate(
        const Place& place, const Filter& filter, float (&gradient)[OWN]) {
    float values[OWN];
    float slopes[OWN];
    float squares = 0;
    float product = 0;
#pragma unroll
    for (int own = 0; own < OWN; ++own) {
        values[own] = SILU || NORMALIZE ? filter.value(own) : 0;
        slopes[own] = 1;
        if (SILU) {
            const Sigmoid gate = Sigmoid::of(values[own]);
            slopes[own] = gate.value * fmaf(values[own], gate.rest, 1.0f);
            values[own] *= gate.value;
        }
        if (NORMALIZE && place.inside[own / VECTOR]) {
            squares = fmaf(values[own], values[own], squares);
            product = fmaf(values[own], gradient[own], product);
        }
    }
    if (NORMALIZE) {
        const float scale = reciprocalRoot(sumOfWarp(squares) + EPSILON);
        const float share = sumOfWarp(product) * scale * scale;
#pragma unroll
        for (int own = 0; own < OWN; ++own) {
            gradient[own] = scale * fmaf(-share, values[own], gradient[own]);
        }
    }
#pragma unroll
    for (int own = 0; own < OWN; ++own) {
        gradient[own] *= slopes[own];
    }
}

// What comes together on the way back.
struct Gradients {
    const X_TYPE* dnewState;
    X_TYPE* dx;
    X_TYPE* dstate;
    float weight[TAPS][OWN];
    float bias[OWN];
    float before[TAPS][OWN];  // of the newest token and those before it, the newest first

    // Differentiates STEPS tokens from t on, tokens of the run up to `stop` being written. PLAIN
    // ones are all inside the run, see MEMORY before them and have no part in the new state.
    template <bool PLAIN>
    __device__ __forceinline__ void add(
            const Place& place,
            const Ending& ending,
            Filter& filter,
            const Raw& raw,
            const RawGradient& rawGradient,
            int t,
            int stop) {
#pragma unroll
        for (int i = 0; i < STEPS; ++i) {
            const int token = t + i;
            const bool real = PLAIN || (token < place.sizes.length && raw.sees(i, 0));
            filter.push(raw, i, !PLAIN && MEMORY > 0 && !raw.sees(i, 1));
            float gradient[OWN];
#pragma unroll
            for (int own = 0; own < OWN; ++own) {
                gradient[own] = rawGradient.dy[i][own / VECTOR].get(own % VECTOR);
            }
            differentiate(place, filter, gradient);
#pragma unroll
            for (int own = 0; own < OWN; ++own) {
                gradient[own] = real ? gradient[own] : 0;
                const float counted = PLAIN || token < place.end ? gradient[own] : 0;
                bias[own] += counted;
#pragma unroll
                for (int tap = 0; tap < TAPS; ++tap) {
                    // What is not real may be no number.
                    const float seen = real ? filter.window[tap][own] : 0;
                    weight[tap][own] = fmaf(counted, seen, weight[tap][own]);
                    const int steps = MEMORY - tap;
                    before[steps][own] = fmaf(
                            filter.weight[tap][own],
                            PLAIN || raw.sees(i, steps) ? gradient[own] : 0,
                            before[steps][own]);
                }
            }
            if (PLAIN) {
                writeInput(place, token - MEMORY);
            } else if (token < stop) {
                finish(place, ending, token - MEMORY);
            }
#pragma unroll
            for (int own = 0; own < OWN; ++own) {
#pragma unroll
                for (int steps = MEMORY; steps > 0; --steps) {
                    before[steps][own] = before[steps - 1][own];
                }
                before[0][own] = 0;
            }
        }
    }

    __device__ __forceinline__ void writeInput(const Place& place, int token) const {
#pragma unroll
        for (int item = 0; item < ITEMS; ++item) {
            if (place.inside[item]) {
                const long long at = place.token(token) * place.sizes.width + place.channel[item];
                write<VECTOR>(dx + at, before[MEMORY] + item * VECTOR);
            }
        }
    }

    // A token that nothing more comes to, of the run, or of the state before the row if negative.
    __device__ __forceinline__ void finish(const Place& place, const Ending& ending, int token) {
        const int slot = token - ending.token(0);
        if (dnewState != nullptr && ending.has(slot)) {
#pragma unroll
            for (int own = 0; own < OWN; ++own) {
                const long long at = place.slot(slot, own / VECTOR) + own % VECTOR;
                before[MEMORY][own] += widen(dnewState[at]);
            }
        }
        if (token >= place.begin) {
            writeInput(place, token);
        } else if (token < 0 && place.begin == 0 && dstate != nullptr) {
#pragma unroll
            for (int item = 0; item < ITEMS; ++item) {
                if (place.inside[item]) {
                    write<VECTOR>(
                            dstate + place.slot(token + MEMORY, item),
                            before[MEMORY] + item * VECTOR);
                }
            }
        }
    }
};

// Adds what the warps of a block have, in their order, and leaves it where the first one is told.
__device__ __forceinline__ void addWarps(
        const Place& place, const float (&mine)[OWN], float* to, int step) {
    __shared__ float parts[WARPS][OWN][LANES];
#pragma unroll
    for (int own = 0; own < OWN; ++own) {
        parts[threadIdx.y][own][threadIdx.x] = mine[own];
    }
    __syncthreads();
#pragma unroll
    for (int own = 0; own < OWN; ++own) {
        if (threadIdx.y == 0 && place.inside[own / VECTOR]) {
            float sum = 0;
#pragma unroll
            for (int warp = 0; warp < WARPS; ++warp) {
                sum += parts[warp][own][threadIdx.x];
            }
            to[(long long)(place.channel[own / VECTOR] + own % VECTOR) * step] = sum;
        }
    }
    __syncthreads();
}

// `sums` [blocks of runs over all rows, C * TAPS + C]: what to add up to the gradients of the weights
// [C, TAPS] and the bias [C]. `dnewState` and `dstate` may have no address.
extern "C" __global__ void __launch_bounds__(LANES * WARPS) convolve_back(
        const X_TYPE* __restrict__ x,
        const W_TYPE* __restrict__ weights,
        const W_TYPE* __restrict__ biases,
        const X_TYPE* __restrict__ state,
        const long long* __restrict__ positions,
        const long long* __restrict__ lengths,
        const X_TYPE* __restrict__ dy0,
        const X_TYPE* __restrict__ dy1,
        const X_TYPE* __restrict__ dnewState,
        X_TYPE* __restrict__ dx,
        X_TYPE* __restrict__ dstate,
        float* __restrict__ sums,
        int length,
        int width,
        long long stride,
        int first,
        int span,
        int partWidth,
        int groupWidth,
        int runLength) {
    const Place place({length, width, stride, first, span, partWidth, groupWidth, runLength});
    const X_TYPE* dy = place.part == 0 ? dy0 : dy1;
    const Ending ending(place, positions, lengths);
    Gradients gradients{dnewState, dx, dstate};
    Raw next;
    RawGradient nextGradient;
    next.fetch(place, x, positions, place.begin);
    nextGradient.fetch(place, dy, place.begin);
    Filter filter(place, x, weights, biases, state, positions);
    // A token's gradient comes from itself and those after it, also beyond the run.
    const int stop = place.begin < length ? place.end + MEMORY : place.begin;
    for (int t = place.begin; t < stop; t += STEPS) {
        const Raw raw = next;
        const RawGradient rawGradient = nextGradient;
        if (t + STEPS < stop) {
            next.fetch(place, x, positions, t + STEPS);
            nextGradient.fetch(place, dy, t + STEPS);
        }
const bool inner = t >= place.begin + MEMORY && t + STEPS <= min(place.end, ending.real);
        if (inner && raw.plain()) {
            gradients.add<true>(place, ending, filter, raw, rawGradient, t, stop);
        } else {
            gradients.add<false>(place, ending, filter, raw, rawGradient, t, stop);
        }
    }
    float* to = sums + (long long)place.block * width * (TAPS + 1);
#pragma unroll
    for (int tap = 0; tap < TAPS; ++tap) {
        addWarps(place, gradients.weight[tap], to + tap, TAPS);
    }
    addWarps(place, gradients.bias, to + (long long)width * TAPS, 1);
}
