// The diagonal linear recurrence h_t = a_t h_{t-1} + x_t over [B, T, E], accumulated in fp32
// (arXiv 2402.19427, equation 4), and its gradients: with g_t the gradient of h_t as an output,
//
//   G_t = g_t + a_{t+1} G_{t+1},   dx_t = G_t,   da_t = G_t h_{t-1},
//
// which is the scan of c -> a_t (c + g_t) backwards in time. At a document's first token a counts
// as 0; padding changes nothing, and its gradients are 0.
//
// Constants: X_TYPE, A_TYPE (float or bfloat16), and those of scan.cuh.

template <typename T>
using Tokens = Pack<T, CHANNELS>;

struct Forward {
    Line<const X_TYPE> x;
    Line<const A_TYPE> decay;
    Line<float> values;
    const long long* positions;
    static constexpr bool fresh = false;

    struct Raw {
        Tokens<X_TYPE> x[STEPS];
        Tokens<A_TYPE> decay[STEPS];
        RawMarks marks;
    };

    __device__ __forceinline__ void fetch(Raw& raw, const Walk<false>& walk, int first) const {
#pragma unroll
        for (int i = 0; i < STEPS; ++i) {
            const int step = walk.known(first + i);
            raw.x[i] = x.get(step);
            raw.decay[i] = decay.get(step);
        }
        raw.marks.fetch(walk, positions, first);
    }

    template <typename M>
    __device__ __forceinline__ static float factor(const Raw& raw, const M& marks, int i, int c) {
        return !marks.real(i) ? 1 : marks.start(i) ? 0 : raw.decay[i].get(c);
    }

    template <typename M>
    __device__ __forceinline__ static float term(const Raw& raw, const M& marks, int i, int c) {
        return marks.real(i) ? raw.x[i].get(c) : 0;
    }

    template <typename M>
    __device__ __forceinline__ Map map(const Raw& raw, const M& marks) const {
        Map map = Map::identity();
#pragma unroll
        for (int i = 0; i < STEPS; ++i) {
#pragma unroll
            for (int c = 0; c < CHANNELS; ++c) {
                map.follow(c, factor(raw, marks, i, c), term(raw, marks, i, c));
            }
        }
        return map;
    }

    template <typename M>
    __device__ __forceinline__ void finish(
            const Raw& raw, const M& marks, const Walk<false>& walk, int first, State h) {
#pragma unroll
        for (int i = 0; i < STEPS; ++i) {
#pragma unroll
            for (int c = 0; c < CHANNELS; ++c) {
                h.at[c] = fmaf(factor(raw, marks, i, c), h.at[c], term(raw, marks, i, c));
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
    Line<const A_TYPE> decay;
    Line<const float> values;  // h
    Line<const float> gradient;  // g
    Line<X_TYPE> dx;
    Line<A_TYPE> ddecay;
    const long long* positions;
    State entered;  // h before the row
    static constexpr bool fresh = false;

    struct Raw {
        Tokens<A_TYPE> decay[STEPS];
        Tokens<float> before[STEPS];
        Tokens<float> gradient[STEPS];
        RawMarks marks;
    };

    __device__ __forceinline__ void fetch(Raw& raw, const Walk<true>& walk, int first) const {
#pragma unroll
        for (int i = 0; i < STEPS; ++i) {
            const int step = walk.known(first + i);
            raw.decay[i] = decay.get(step);
            raw.gradient[i] = gradient.get(step);
            if (!SUMMING) {
                raw.before[i] = values.get(walk.before(step));
            }
        }
        raw.marks.fetch(walk, positions, first);
    }

    template <typename M>
    __device__ __forceinline__ static float factor(const Raw& raw, const M& marks, int i, int c) {
        return marks.start(i) ? 0 : raw.decay[i].get(c);
    }

    template <typename M>
    __device__ __forceinline__ Map map(const Raw& raw, const M& marks) const {
        Map map = Map::identity();
#pragma unroll
        for (int i = 0; i < STEPS; ++i) {
#pragma unroll
            for (int c = 0; c < CHANNELS; ++c) {
                const float a = marks.real(i) ? factor(raw, marks, i, c) : 1;
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
            State adjoint = State::all(0);
            State slope = State::all(0);
            if (marks.real(i)) {
                const bool startsRow = walk.startsRow(first + i);
#pragma unroll
                for (int c = 0; c < CHANNELS; ++c) {
                    const float before = startsRow ? entered.at[c] : raw.before[i].get(c);
                    adjoint.at[c] = raw.gradient[i].get(c) + handed.at[c];
                    slope.at[c] = marks.start(i) ? 0 : adjoint.at[c] * before;
                    handed.at[c] = factor(raw, marks, i, c) * adjoint.at[c];
                }
            }
            if (walk.inside && marks.inside(i)) {
                dx.set(first + i, adjoint);
                ddecay.set(first + i, slope);
            }
        }
    }
};

// Grid and block of all: those of Walk.
extern "C" __global__ void __launch_bounds__(LANES * MOST_TEAMS) scan(
        const X_TYPE* __restrict__ x,
        const A_TYPE* __restrict__ decay,
        const long long* __restrict__ positions,
        float* __restrict__ values,
        const float* __restrict__ entering,
        float* __restrict__ leaving,
        int length,
        int width,
        int segmentLength) {
    const Walk<false> walk(length, width, segmentLength);
    Forward task{{walk, x}, {walk, decay}, {walk, values}, positions};
    scanSegment(task, walk, entering, leaving);
}

extern "C" __global__ void __launch_bounds__(LANES * MOST_TEAMS) summarize(
        const X_TYPE* __restrict__ x,
        const A_TYPE* __restrict__ decay,
        const long long* __restrict__ positions,
        float* __restrict__ factors,
        float* __restrict__ terms,
        int length,
        int width,
        int segmentLength) {
    const Walk<false> walk(length, width, segmentLength);
    Forward task{{walk, x}, {walk, decay}, {walk, (float*)nullptr}, positions};
    summarizeSegment(task, walk, factors, terms);
}

extern "C" __global__ void __launch_bounds__(LANES * MOST_TEAMS) scan_back(
        const A_TYPE* __restrict__ decay,
        const float* __restrict__ values,
        const float* __restrict__ gradient,
        const long long* __restrict__ positions,
        const float* __restrict__ state,
        X_TYPE* __restrict__ dx,
        A_TYPE* __restrict__ ddecay,
        const float* __restrict__ entering,
        float* __restrict__ leaving,
        int length,
        int width,
        int segmentLength) {
    const Walk<true> walk(length, width, segmentLength);
    const State entered = State::from(state == nullptr ? nullptr : state + walk.cell());
    Backward<false> task{
            {walk, decay}, {walk, values}, {walk, gradient}, {walk, dx}, {walk, ddecay}, positions,
            entered};
    scanSegment(task, walk, entering, leaving);
}

extern "C" __global__ void __launch_bounds__(LANES * MOST_TEAMS) summarize_back(
        const A_TYPE* __restrict__ decay,
        const float* __restrict__ gradient,
        const long long* __restrict__ positions,
        float* __restrict__ factors,
        float* __restrict__ terms,
        int length,
        int width,
        int segmentLength) {
    const Walk<true> walk(length, width, segmentLength);
    Backward<true> task{
            {walk, decay}, {walk, (const float*)nullptr}, {walk, gradient}, {walk, (X_TYPE*)nullptr},
            {walk, (A_TYPE*)nullptr}, positions, State::all(0)};
    summarizeSegment(task, walk, factors, terms);
}
