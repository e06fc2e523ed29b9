package dev.recurrent.training.run;

import ai.djl.Device;
import dev.recurrent.blocks.torch.MatrixPrecision;

/** What {@link RunSetting#PRECISION} can be. */
enum RunPrecision {
    /** bfloat16 where there are fast products for it, on GPUs; full elsewhere. */
    AUTO,
    FULL,
    BFLOAT16,
    FLOAT16;

    MatrixPrecision on(Device device) {
        return switch (this) {
            case AUTO -> device.isGpu() ? MatrixPrecision.BFLOAT16 : MatrixPrecision.FULL;
            case FULL -> MatrixPrecision.FULL;
            case BFLOAT16 -> MatrixPrecision.BFLOAT16;
            case FLOAT16 -> MatrixPrecision.FLOAT16;
        };
    }
}
