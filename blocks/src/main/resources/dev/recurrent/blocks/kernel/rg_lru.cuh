// The decay of the RG-LRU (arXiv 2402.19427, section 2.4), a = exp(-8 softplus(lambda) r).

// c of the paper.
constexpr float SHARPNESS = 8;

// log a at r = 1.
__device__ __forceinline__ float fullLogDecay(float lambda) {
    return -SHARPNESS * (fmaxf(lambda, 0.0f) + log1pf(expf(-fabsf(lambda))));
}

// e^x - 1 for x <= 0, without cancellation.
__device__ __forceinline__ float exponentialLessOne(float x) {
    // Taylor's series, whose next term is below the last place there.
    constexpr float SMALL = -0.125f;
    float series = 1.0f / 720;
    series = fmaf(series, x, 1.0f / 120);
    series = fmaf(series, x, 1.0f / 24);
    series = fmaf(series, x, 1.0f / 6);
    series = fmaf(series, x, 0.5f);
    series = fmaf(series, x, 1.0f) * x;
    return x > SMALL ? series : exponential(x) - 1.0f;
}

// 1 - a^2 from a - 1.
__device__ __forceinline__ float complementOfSquare(float decayLessOne) {
    return -decayLessOne * (2.0f + decayLessOne);
}
