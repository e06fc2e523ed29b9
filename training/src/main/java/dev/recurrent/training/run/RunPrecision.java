package dev.recurrent.training.run;

import ai.djl.Device;
import dev.recurrent.blocks.torch.MatrixPrecision;

/** What {@link RunSetting#PRECISION} can be. */
enum RunPrecision {
    /** {@link MatrixPrecision#usual}. */
    AUTO,
    FULL,
    BFLOAT16,
    FLOAT16;

    MatrixPrecision on(Device device) {
        return switch (this) {
            case AUTO -> MatrixPrecision.usual(device);
            case FULL -> MatrixPrecision.FULL;
            case BFLOAT16 -> MatrixPrecision.BFLOAT16;
            case FLOAT16 -> MatrixPrecision.FLOAT16;
        };
    }
}
