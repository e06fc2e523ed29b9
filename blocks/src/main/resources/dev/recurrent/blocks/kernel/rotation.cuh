// Rotation of a plane, rounded alike wherever it is done. Angles are products in fp32 of position
// and frequency, as trained models have them; the frequency is rounded to fp32 from a power in
// double precision.

// theta^(-2i/R) of plane i, for an exponent of -2 log2(theta) / R.
__device__ __forceinline__ float frequency(double exponent, int plane) {
    return (float)exp2(exponent * plane);
}

struct Plane {
    float left;
    float right;

    __device__ __forceinline__ Plane turned(float cosine, float sine) const {
        return {fmaf(left, cosine, -__fmul_rn(right, sine)),
                fmaf(right, cosine, __fmul_rn(left, sine))};
    }
};
