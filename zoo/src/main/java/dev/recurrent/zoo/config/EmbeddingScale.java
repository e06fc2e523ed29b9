package dev.recurrent.zoo.config;

/** What RecurrentGemma multiplies embeddings by. */
public final class EmbeddingScale {

    private EmbeddingScale() {}

    /**
     * Returns √D as upstream stores it, rounded to bfloat16: 50.5 for 2560, 64 for 4096.
     *
     * @param width D
     * @return the scale
     */
    public static double ofWidth(long width) {
        int bits = Float.floatToRawIntBits((float) Math.sqrt(width));
        int halfAndEven = 0x7fff + (bits >>> 16 & 1);
        return Float.intBitsToFloat(bits + halfAndEven & 0xffff0000);
    }
}
