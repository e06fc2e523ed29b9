/**
 * Recurrent and hybrid language models as DJL Blocks.
 *
 * <p>Data goes one way: token ids → embedding → residual blocks (norm → mixer → add; norm → MLP →
 * add) → norm → head → logits. {@link dev.recurrent.blocks.LanguageModel} loops over the layers
 * that a {@link dev.recurrent.blocks.LanguageModelConfig} lists; the mixers are in {@link
 * dev.recurrent.blocks.mixer}, the mathematics under them in {@link dev.recurrent.blocks.rule}.
 *
 * <h2>Glossary</h2>
 *
 * The letters of every shape in Javadoc and comments:
 *
 * <table>
 *   <caption>Shape letters</caption>
 *   <tr><td>B</td><td>batch: rows, one sequence (or several packed documents) each</td></tr>
 *   <tr><td>T</td><td>time: tokens in a row</td></tr>
 *   <tr><td>D</td><td>width of the residual stream</td></tr>
 *   <tr><td>E</td><td>width of a recurrence (RG-LRU, Mamba-2)</td></tr>
 *   <tr><td>H</td><td>heads; HV value heads, KV key/value heads where they differ</td></tr>
 *   <tr><td>K</td><td>key dimension of a head</td></tr>
 *   <tr><td>V</td><td>value dimension of a head</td></tr>
 *   <tr><td>N</td><td>state size (Mamba-2)</td></tr>
 *   <tr><td>W</td><td>window: taps of a convolution, keys of an attention</td></tr>
 *   <tr><td>C</td><td>chunk: tokens that a rule treats at once</td></tr>
 * </table>
 *
 * <h2>Positions</h2>
 *
 * An int64 tensor [B, T] rules everything that knows about documents: 0 starts a document, −1 is
 * padding. See {@link dev.recurrent.blocks.rule.Positions}.
 */
package dev.recurrent.blocks;
