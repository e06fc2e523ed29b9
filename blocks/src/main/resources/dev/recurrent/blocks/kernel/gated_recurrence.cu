// The RG-LRU from its gates' pre-activations on (arXiv 2402.19427, section 2.4), and its gradients:
//
//   i = sigmoid(y_i + b_i),  r = sigmoid(y_r + b_r),  a = exp(-8 softplus(lambda) r)
//   h_t = a_t h_{t-1} + m_t i_t u_t,   m = sqrt(1 - a^2), at a document's first token 1 and a = 0
//
// over [B, T, E] in fp32. Gates are computed in registers, forward and again backward; only h is
// kept. With G_t the adjoint of h_t (see linear_recurrence.cu) and l = log a:
//
//   di_t = G_t m_t u_t,  du_t = G_t m_t i_t,  dl_t = a_t G_t h_{t-1} - 2 a_t^2 m'_t G_t i_t u_t
//
// where m' is the slope of the root, bounded by 1000. Pre-activations and their gradients are
// [blocks, B * T, E / blocks], as products with block-diagonal weights come and go.
//
// Constants: U_TYPE, G_TYPE (of pre-activations), P_TYPE (of biases and lambda), H_TYPE (of h and
// its gradient), each float or bfloat16; those of scan.cuh, where CHANNELS divides E / blocks too.

template <typename T>
using Tokens = Pack<T, CHANNELS>;

constexpr float GREATEST_SLOPE = 1000;

// What is the same for all tokens of a lane's channels.
struct Channels {
    float inputBias[CHANNELS];  // as powers of two, see sigmoidOfPower
    float recurrentBias[CHANNELS];
    float rate[CHANNELS];  // log a at r = 1
    float rateSlope[CHANNELS];  // its derivative in lambda
    long long gates;  // where the row's pre-activations begin
    int gateWidth;  // E / blocks

    template <bool BACKWARDS>
    __device__ __forceinline__ Channels(
            const Walk<BACKWARDS>& walk,
            const P_TYPE* inputBiases,
            const P_TYPE* recurrentBiases,
            const P_TYPE* lambdas,
            int rows,
            int gateWidth)
            : gateWidth(gateWidth) {
#pragma unroll
        for (int c = 0; c < CHANNELS; ++c) {
            const int channel = walk.channel + c;
            const float lambda = widen(lambdas[channel]);
            inputBias[c] = -LOG2_E * widen(inputBiases[channel]);
            recurrentBias[c] = -LOG2_E * widen(recurrentBiases[channel]);
            rate[c] = fullLogDecay(lambda);
            rateSlope[c] = -SHARPNESS * Sigmoid::of(lambda).value;
        }
        const long long block = walk.channel / gateWidth;
        gates = (block * rows + walk.row) * walk.length * gateWidth + walk.channel % gateWidth;
    }

    template <bool BACKWARDS, typename T>
    __device__ __forceinline__ Line<T> line(const Walk<BACKWARDS>& walk, T* base) const {
        return {walk, base, gates, gateWidth};
    }

    __device__ __forceinline__ float inputPower(float x, int c) const {
        return fmaf(-LOG2_E, x, inputBias[c]);
    }

    __device__ __forceinline__ float recurrentPower(float x, int c) const {
        return fmaf(-LOG2_E, x, recurrentBias[c]);
    }
};

struct Forward {
    const Channels& channels;
    Line<const U_TYPE> u;
    Line<const G_TYPE> inputGate;
    Line<const G_TYPE> recurrentGate;
    Line<H_TYPE> values;
    const long long* positions;
    bool fresh;
    float decay[STEPS][CHANNELS];
    float input[STEPS][CHANNELS];

    struct Raw {
        Tokens<U_TYPE> u[STEPS];
        Tokens<G_TYPE> inputGate[STEPS];
        Tokens<G_TYPE> recurrentGate[STEPS];
        RawMarks marks;
    };

    __device__ __forceinline__ void fetch(Raw& raw, const Walk<false>& walk, int first) const {
#pragma unroll
        for (int i = 0; i < STEPS; ++i) {
            const int step = walk.known(first + i);
            raw.u[i] = u.get(step);
            raw.inputGate[i] = inputGate.get(step);
            raw.recurrentGate[i] = recurrentGate.get(step);
        }
        raw.marks.fetch(walk, positions, first);
    }

    template <typename M>
    __device__ __forceinline__ Map map(const Raw& raw, const M& marks) {
        Map map = Map::identity();
#pragma unroll
        for (int i = 0; i < STEPS; ++i) {
#pragma unroll
            for (int c = 0; c < CHANNELS; ++c) {
                const float in = sigmoidOfPower(channels.inputPower(raw.inputGate[i].get(c), c));
                const float r =
                        sigmoidOfPower(channels.recurrentPower(raw.recurrentGate[i].get(c), c));
                const float decayLessOne = exponentialLessOne(channels.rate[c] * r);
                const float gated = in * raw.u[i].get(c);
                const float scale = squareRoot(complementOfSquare(decayLessOne));
                const float kept = marks.start(i) ? 0 : 1 + decayLessOne;
                decay[i][c] = marks.real(i) ? kept : 1;
                input[i][c] = !marks.real(i) ? 0 : marks.start(i) ? gated : scale * gated;
                map.follow(c, decay[i][c], input[i][c]);
            }
        }
        return map;
    }

    template <typename M>
    __device__ __forceinline__ void finish(
            const Raw&, const M& marks, const Walk<false>& walk, int first, State h) const {
#pragma unroll
        for (int i = 0; i < STEPS; ++i) {
#pragma unroll
            for (int c = 0; c < CHANNELS; ++c) {
                h.at[c] = fmaf(decay[i][c], h.at[c], input[i][c]);
            }
            if (walk.inside && marks.inside(i)) {
                values.set(first + i, h);
            }
        }
    }
};

// Its state is a_t G_t, what a token hands to the one before it.
template <bool SUMMING>
struct Backward {
    const Channels& channels;
    Line<const U_TYPE> u;
    Line<const G_TYPE> inputGate;
    Line<const G_TYPE> recurrentGate;
    Line<const H_TYPE> values;  // h
    Line<const H_TYPE> gradient;  // of h
    Line<U_TYPE> du;
    Line<G_TYPE> dinput;
    Line<G_TYPE> drecurrent;
    const long long* positions;
    State entered;  // h before the row
    bool fresh;
    float decayLessOne[STEPS][CHANNELS];
    State inputBias;  // sums over the tokens of the thread
    State recurrentBias;
    State rate;

    struct Raw {
        Tokens<U_TYPE> u[STEPS];
        Tokens<G_TYPE> inputGate[STEPS];
        Tokens<G_TYPE> recurrentGate[STEPS];
        Tokens<H_TYPE> before[STEPS];
        Tokens<H_TYPE> gradient[STEPS];
        RawMarks marks;
    };

    __device__ __forceinline__ void fetch(Raw& raw, const Walk<true>& walk, int first) const {
#pragma unroll
        for (int i = 0; i < STEPS; ++i) {
            const int step = walk.known(first + i);
            raw.recurrentGate[i] = recurrentGate.get(step);
            raw.gradient[i] = gradient.get(step);
            if (!SUMMING) {
                raw.u[i] = u.get(step);
                raw.inputGate[i] = inputGate.get(step);
                raw.before[i] = values.get(walk.before(step));
            }
        }
        raw.marks.fetch(walk, positions, first);
    }

    template <typename M>
    __device__ __forceinline__ Map map(const Raw& raw, const M& marks) {
        Map map = Map::identity();
#pragma unroll
        for (int i = 0; i < STEPS; ++i) {
#pragma unroll
            for (int c = 0; c < CHANNELS; ++c) {
                const float r =
                        sigmoidOfPower(channels.recurrentPower(raw.recurrentGate[i].get(c), c));
                decayLessOne[i][c] = exponentialLessOne(channels.rate[c] * r);
                const float kept = marks.start(i) ? 0 : 1 + decayLessOne[i][c];
                const float a = marks.real(i) ? kept : 1;
                const float g = marks.real(i) ? raw.gradient[i].get(c) : 0;
                map.follow(c, a, a * g);
            }
        }
        return map;
    }

    template <typename M>
    __device__ __forceinline__ void finish(
            const Raw& raw, const M& marks, const Walk<true>& walk, int first, State handed) {
#pragma unroll
        for (int i = 0; i < STEPS; ++i) {
            State ofU = State::all(0);
            State ofInput = State::all(0);
            State ofRecurrent = State::all(0);
            if (marks.real(i)) {
                const bool startsRow = walk.startsRow(first + i);
#pragma unroll
                for (int c = 0; c < CHANNELS; ++c) {
                    const float adjoint = raw.gradient[i].get(c) + handed.at[c];
                    const float before = startsRow ? entered.at[c] : raw.before[i].get(c);
                    const float value = raw.u[i].get(c);
                    const Sigmoid in =
                            Sigmoid::ofPower(channels.inputPower(raw.inputGate[i].get(c), c));
                    const Sigmoid r = Sigmoid::ofPower(
                            channels.recurrentPower(raw.recurrentGate[i].get(c), c));
                    const float square = complementOfSquare(decayLessOne[i][c]);
                    const float inverse = reciprocalRoot(fmaxf(square, 1e-30f));
                    const float scale = marks.start(i) ? 1 : square * inverse;
                    const float slope = fminf(0.5f * inverse, GREATEST_SLOPE);
                    const float a = marks.start(i) ? 0 : 1 + decayLessOne[i][c];
                    const float scaled = adjoint * in.value;
                    const float logarithm = a * fmaf(adjoint, before, -2 * a * scaled * value * slope);
                    const float powered = logarithm * r.value;
                    handed.at[c] = a * adjoint;
                    ofU.at[c] = scaled * scale;
                    ofInput.at[c] = ofU.at[c] * value * in.rest;
                    ofRecurrent.at[c] = powered * channels.rate[c] * r.rest;
                    inputBias.at[c] += ofInput.at[c];
                    recurrentBias.at[c] += ofRecurrent.at[c];
                    rate.at[c] += powered;
                }
            }
            if (walk.inside && marks.inside(i)) {
                du.set(first + i, ofU);
                dinput.set(first + i, ofInput);
                drecurrent.set(first + i, ofRecurrent);
            }
        }
    }
};

// Adds what the teams of a block have, in their order, into `sum` of the first.
__device__ __forceinline__ void addTeams(State& sum) {
    __shared__ State parts[MOST_TEAMS][LANES];
    parts[threadIdx.y][threadIdx.x] = sum;
    __syncthreads();
    if (threadIdx.y == 0) {
        for (int other = 1; other < (int)blockDim.y; ++other) {
#pragma unroll
            for (int c = 0; c < CHANNELS; ++c) {
                sum.at[c] += parts[other][threadIdx.x].at[c];
            }
        }
    }
    __syncthreads();
}

// Grid and block of all: those of Walk.
extern "C" __global__ void __launch_bounds__(LANES * MOST_TEAMS) scan(
        const U_TYPE* __restrict__ u,
        const G_TYPE* __restrict__ inputGates,
        const G_TYPE* __restrict__ recurrentGates,
        const P_TYPE* __restrict__ inputBiases,
        const P_TYPE* __restrict__ recurrentBiases,
        const P_TYPE* __restrict__ lambdas,
        const long long* __restrict__ positions,
        H_TYPE* __restrict__ values,
        int rows,
        int gateWidth,
        int fresh,
        const float* __restrict__ entering,
        float* __restrict__ leaving,
        int length,
        int width,
        int segmentLength) {
    const Walk<false> walk(length, width, segmentLength);
    const Channels channels(walk, inputBiases, recurrentBiases, lambdas, rows, gateWidth);
    Forward task{
            channels,
            {walk, u},
            channels.line(walk, inputGates),
            channels.line(walk, recurrentGates),
            {walk, values},
            positions,
            fresh != 0};
    scanSegment(task, walk, entering, leaving);
}

extern "C" __global__ void __launch_bounds__(LANES * MOST_TEAMS) summarize(
        const U_TYPE* __restrict__ u,
        const G_TYPE* __restrict__ inputGates,
        const G_TYPE* __restrict__ recurrentGates,
        const P_TYPE* __restrict__ inputBiases,
        const P_TYPE* __restrict__ recurrentBiases,
        const P_TYPE* __restrict__ lambdas,
        const long long* __restrict__ positions,
        int rows,
        int gateWidth,
        int fresh,
        float* __restrict__ factors,
        float* __restrict__ terms,
        int length,
        int width,
        int segmentLength) {
    const Walk<false> walk(length, width, segmentLength);
    const Channels channels(walk, inputBiases, recurrentBiases, lambdas, rows, gateWidth);
    Forward task{
            channels,
            {walk, u},
            channels.line(walk, inputGates),
            channels.line(walk, recurrentGates),
            {walk, (H_TYPE*)nullptr},
            positions,
            fresh != 0};
    summarizeSegment(task, walk, factors, terms);
}

// Leaves in `sums` [B * segments, 3, E] the gradients of the input gate's bias, the recurrent
// gate's and lambda, to be added over rows and segments.
extern "C" __global__ void __launch_bounds__(LANES * MOST_TEAMS) scan_back(
        const U_TYPE* __restrict__ u,
        const G_TYPE* __restrict__ inputGates,
        const G_TYPE* __restrict__ recurrentGates,
        const P_TYPE* __restrict__ inputBiases,
        const P_TYPE* __restrict__ recurrentBiases,
        const P_TYPE* __restrict__ lambdas,
        const long long* __restrict__ positions,
        const H_TYPE* __restrict__ values,
        const H_TYPE* __restrict__ gradient,
        const float* __restrict__ state,
        U_TYPE* __restrict__ du,
        G_TYPE* __restrict__ dinput,
        G_TYPE* __restrict__ drecurrent,
        float* __restrict__ sums,
        int rows,
        int gateWidth,
        int fresh,
        const float* __restrict__ entering,
        float* __restrict__ leaving,
        int length,
        int width,
        int segmentLength) {
    const Walk<true> walk(length, width, segmentLength);
    const Channels channels(walk, inputBiases, recurrentBiases, lambdas, rows, gateWidth);
    const State entered = State::from(state == nullptr ? nullptr : state + walk.cell());
    Backward<false> task{
            channels,
            {walk, u},
            channels.line(walk, inputGates),
            channels.line(walk, recurrentGates),
            {walk, values},
            {walk, gradient},
            {walk, du},
            channels.line(walk, dinput),
            channels.line(walk, drecurrent),
            positions,
            entered,
            fresh != 0};
    task.inputBias = task.recurrentBias = task.rate = State::all(0);
    scanSegment(task, walk, entering, leaving);
    addTeams(task.inputBias);
    addTeams(task.recurrentBias);
    addTeams(task.rate);
    if (walk.speaks()) {
#pragma unroll
        for (int c = 0; c < CHANNELS; ++c) {
            task.rate.at[c] *= channels.rateSlope[c];
        }
        float* to = sums + (walk.row * gridDim.y + blockIdx.y) * 3 * width + walk.channel;
        write<CHANNELS>(to, task.inputBias.at);
        write<CHANNELS>(to + width, task.recurrentBias.at);
        write<CHANNELS>(to + 2 * width, task.rate.at);
    }
}

extern "C" __global__ void __launch_bounds__(LANES * MOST_TEAMS) summarize_back(
        const G_TYPE* __restrict__ recurrentGates,
        const P_TYPE* __restrict__ inputBiases,
        const P_TYPE* __restrict__ recurrentBiases,
        const P_TYPE* __restrict__ lambdas,
        const H_TYPE* __restrict__ gradient,
        const long long* __restrict__ positions,
        int rows,
        int gateWidth,
        int fresh,
        float* __restrict__ factors,
        float* __restrict__ terms,
        int length,
        int width,
        int segmentLength) {
    const Walk<true> walk(length, width, segmentLength);
    const Channels channels(walk, inputBiases, recurrentBiases, lambdas, rows, gateWidth);
    Backward<true> task{
            channels,
            {walk, (const U_TYPE*)nullptr},
            channels.line(walk, (const G_TYPE*)nullptr),
            channels.line(walk, recurrentGates),
            {walk, (const H_TYPE*)nullptr},
            {walk, gradient},
            {walk, (U_TYPE*)nullptr},
            channels.line(walk, (G_TYPE*)nullptr),
            channels.line(walk, (G_TYPE*)nullptr),
            positions,
            State::all(0),
            fresh != 0};
    summarizeSegment(task, walk, factors, terms);
}
