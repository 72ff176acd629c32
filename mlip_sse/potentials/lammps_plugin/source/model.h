// A NequIP or Allegro model in an AOTInductor file, behind plain arrays: nothing of LAMMPS and nothing of torch is seen here, so
// that only model.cpp pays for torch's headers.

#ifndef MLIP_SSE_MODEL_H
#define MLIP_SSE_MODEL_H

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace mlip_sse {

enum class Style { NEQUIP, ALLEGRO };    // which pair style asks, hence which inputs the file must have been compiled for

// What a model reads. An edge runs from a centre to a neighbour within the cutoff; every pair appears in both directions.
struct Graph {
  std::vector<double> positions;                // (n_atoms, 3) Å
  std::vector<int64_t> types;                   // (n_atoms,) index into Model::type_names
  std::vector<int64_t> centres, neighbours;     // (n_edges,) index of an atom
  std::array<double, 9> cell{};                 // NequIP only: cell vectors in rows, Å
  std::vector<double> shifts;                   // NequIP only: (n_edges, 3) cell vectors to add to the neighbour
};

// What a model says; the arrays live as long as this does.
struct Prediction {
  const double *energies;    // (n_atoms,) eV
  const double *forces;      // (n_atoms, 3) eV/Å
  const double *virial;      // (3, 3) eV, the sum of r ⊗ f: positive = compression
  double seconds;            // by the clock inside the compiled code
  double cpu_seconds;        // and of this thread's processor, which other jobs on the machine do not stretch
  std::shared_ptr<const void> tensors;
};

class Model {
 public:
  // Reads what the file says about itself and refuses it, with one line, before any of its code is loaded.
  Model(const std::string &path, Style style);
  ~Model();

  // The same, but a file that this process has loaded already is not loaded again: torch never unloads the code of a model,
  // and LAMMPS' command `clear` is how a script goes from one cell to the next.
  static std::shared_ptr<const Model> load(const std::string &path, Style style);

  Prediction run(Graph &graph, int n_threads) const;    // the graph may come back with two far atoms more

  std::vector<std::string> type_names;
  double cutoff = 0.0;              // Å, of the widest pair
  std::vector<double> cutoffs;      // (n_types, n_types) Å, centre by neighbour

 private:
  struct Torch;
  std::unique_ptr<Torch> torch_;
};

}    // namespace mlip_sse

#endif
