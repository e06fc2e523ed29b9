package dev.recurrent.training;

import ai.djl.ndarray.NDArray;
import ai.djl.training.GradientCollector;
import dev.recurrent.blocks.autograd.Tape;
import dev.recurrent.blocks.torch.MatrixPrecision;
import dev.recurrent.blocks.torch.Scalars;
import dev.recurrent.blocks.torch.TensorScope;
import dev.recurrent.blocks.torch.Torch;
import java.util.function.Consumer;
import java.util.function.DoubleSupplier;

/** A forward and a backward pass on the tape, in the precision of the training. */
final class Pass implements GradientCollector {

    private final GradientCollector collector;
    private final MatrixPrecision.Use precision;
    private final Tape tape;
    private final Consumer<NDArray> losses;
    private final DoubleSupplier scale;

    /**
     * Begins a pass on this thread.
     *
     * @param collector of the engine
     * @param config of the training
     * @param losses takes every target of the backward pass, without its graph
     * @param scale what targets are multiplied by
     */
    Pass(
            GradientCollector collector,
            LanguageModelTrainingConfig config,
            Consumer<NDArray> losses,
            DoubleSupplier scale) {
        this.collector = collector;
        this.losses = losses;
        this.scale = scale;
        precision = config.getPrecision().use();
        tape = Tape.open(config.isRecomputing());
    }

    /** {@inheritDoc} */
    @Override
    public void backward(NDArray target) {
        try (TensorScope scope = new TensorScope()) {
            losses.accept(scope.keep(Torch.detach(target.getManager(), target)));
            double factor = scale.getAsDouble();
            NDArray scaled = factor == 1 ? target : target.mul(Scalars.of(factor));
            tape.backward(scaled, scaled.onesLike());
        }
    }

    /** {@inheritDoc} */
    @Override
    public void zeroGradients() {
        collector.zeroGradients();
    }

    /** {@inheritDoc} */
    @Override
    public void close() {
        tape.close();
        precision.close();
        collector.close();
    }
}
