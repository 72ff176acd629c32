// The pair styles `nequip` and `allegro`: they hand LAMMPS' neighbour lists to a compiled model and bring back energies, forces
// and the virial.
//
//   pair_style  nequip | allegro
//   pair_coeff  * * MODEL.nequip.pt2 NAME_OF_TYPE_1 NAME_OF_TYPE_2 ...
//
// An Allegro model is strictly local: the energy of an atom is a sum over its own edges. So ghost atoms are atoms as any other,
// and each rank returns forces on its ghosts, which LAMMPS adds to their owners (newton on). A NequIP model passes messages
// several cutoffs far: a ghost would lack its own neighbours. So every ghost is replaced by its owner and a shift by whole cell
// vectors, for which one rank must own all atoms.

#include "model.h"

#include "atom.h"
#include "comm.h"
#include "domain.h"
#include "error.h"
#include "force.h"
#include "memory.h"
#include "neigh_list.h"
#include "neighbor.h"
#include "pair.h"
#include "update.h"
#include "utils.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>

using namespace LAMMPS_NS;
using mlip_sse::Graph;
using mlip_sse::Model;
using mlip_sse::Prediction;
using mlip_sse::Style;

class PairEquivariant : public Pair {
 public:
  PairEquivariant(LAMMPS *lmp, Style style);
  ~PairEquivariant() override;
  void settings(int narg, char **arg) override;
  void coeff(int narg, char **arg) override;
  void init_style() override;
  double init_one(int, int) override { return model->cutoff; }
  void compute(int eflag, int vflag) override;

 private:
  void place_atoms();
  void find_owners();
  void connect_atoms();
  void collect(const Prediction &found);

  const Style style;
  const char *const name;
  std::shared_ptr<const Model> model;
  std::vector<int64_t> types;        // of the model, by LAMMPS type
  std::vector<double> cutoffs_sq;    // by LAMMPS types of centre and neighbour
  Graph graph;
  std::vector<int64_t> owners;    // NequIP: the atom that each atom or ghost is an image of
  std::vector<double> images;     // NequIP: and by how many cell vectors
  double seconds[3] = {0.0, 0.0, 0.0};
};

PairEquivariant::PairEquivariant(LAMMPS *lmp, Style style) :
    Pair(lmp), style(style), name(style == Style::NEQUIP ? "nequip" : "allegro")
{
  single_enable = 0;
  restartinfo = 0;
  one_coeff = 1;
  manybody_flag = 1;
  centroidstressflag = CENTROID_NOTAVAIL;
  no_virial_fdotr_compute = 1;    // the model returns the virial itself; NequIP's forces lie on owned atoms only
  // `compute ID all pair nequip` shows them, in seconds since the start of the run: inside the model, in all, and the processor's
  // inside the model.
  nextra = 3;
  pvector = seconds;
}

PairEquivariant::~PairEquivariant()
{
  if (allocated) {
    memory->destroy(setflag);
    memory->destroy(cutsq);
  }
}

void PairEquivariant::settings(int narg, char **)
{
  if (narg > 0) error->all(FLERR, "Pair style {} takes no arguments, found {}", name, narg);
  if (strcmp(update->unit_style, "metal") != 0)
    error->all(FLERR, "Pair style {} works in eV and Å: found units {}, expected units metal", name, update->unit_style);
  if (style == Style::NEQUIP && comm->nprocs > 1)
    error->all(FLERR,
               "Pair style nequip runs on one MPI rank, found {}: its messages reach beyond the ghost atoms; start lmp without "
               "mpirun, or train an Allegro model",
               comm->nprocs);
}

void PairEquivariant::coeff(int narg, char **arg)
{
  const int n = atom->ntypes;
  if (narg != 3 + n || strcmp(arg[0], "*") != 0 || strcmp(arg[1], "*") != 0)
    error->all(FLERR, "Expected pair_coeff * * MODEL.nequip.pt2 and the model's name for each of the {} atom types", n);
  const std::string path = utils::get_potential_file_path(arg[2]);
  if (path.empty()) error->all(FLERR, "Pair style {}: found no file {}, expected a model of nequip-compile", name, arg[2]);

  std::string reason;    // LAMMPS' errors are exceptions too, so none is raised inside of a catch
  try {
    model = Model::load(path, style);
  } catch (const std::exception &failure) {
    reason = failure.what();
  }
  if (!reason.empty()) error->all(FLERR, "Pair style {}: {}: {}", name, path, reason);

  types.assign(n + 1, -1);
  for (int type = 1; type <= n; type++) {
    const auto &names = model->type_names;
    const auto found = std::find(names.begin(), names.end(), arg[2 + type]);
    if (found == names.end()) {
      std::string known;
      for (const auto &each : names) known += (known.empty() ? "" : ", ") + each;
      error->all(FLERR, "Pair style {}: the model knows {}, not {} (atom type {})", name, known, arg[2 + type], type);
    }
    types[type] = found - names.begin();
  }

  if (!allocated) {
    memory->create(setflag, n + 1, n + 1, "pair:setflag");
    memory->create(cutsq, n + 1, n + 1, "pair:cutsq");
    allocated = 1;
  }
  cutoffs_sq.assign((n + 1) * (n + 1), 0.0);
  for (int i = 1; i <= n; i++)
    for (int j = 1; j <= n; j++) {
      setflag[i][j] = 1;
      const double cutoff = model->cutoffs[types[i] * model->type_names.size() + types[j]];
      cutoffs_sq[i * (n + 1) + j] = cutoff * cutoff;
    }
}

void PairEquivariant::init_style()
{
  if (style == Style::ALLEGRO && !force->newton_pair) error->all(FLERR, "Pair style allegro needs newton on");
  if (style == Style::NEQUIP && !atom->tag_enable) error->all(FLERR, "Pair style nequip needs atom IDs");
  neighbor->add_request(this, NeighConst::REQ_FULL);
  std::fill_n(seconds, 3, 0.0);
}

void PairEquivariant::compute(int eflag, int vflag)
{
  const auto start = std::chrono::steady_clock::now();
  ev_init(eflag, vflag);
  if (vflag_atom) error->all(FLERR, "Pair style {} has no virial of single atoms", name);
  if (atom->nlocal > 0) {    // a rank without atoms has nothing to say, and a model refuses to run on nothing
    place_atoms();
    if (style == Style::NEQUIP) find_owners();
    connect_atoms();
    std::string reason;
    try {
      collect(model->run(graph, comm->nthreads));
    } catch (const std::exception &failure) {
      reason = failure.what();
    }
    if (!reason.empty()) error->one(FLERR, "Pair style {}: {}", name, reason.substr(0, reason.find('\n')));
  }
  seconds[1] += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

void PairEquivariant::place_atoms()
{
  const int n_nodes = style == Style::NEQUIP ? atom->nlocal : atom->nlocal + atom->nghost;
  double **x = atom->x;
  graph.positions.assign(x[0], x[0] + 3 * n_nodes);    // LAMMPS keeps them in one piece
  graph.types.resize(n_nodes);
  for (int i = 0; i < n_nodes; i++) graph.types[i] = types[atom->type[i]];
}

void PairEquivariant::find_owners()
{
  const int n_owned = atom->nlocal, n_all = n_owned + atom->nghost;
  const tagint *tag = atom->tag;
  double **x = atom->x;
  const double *h = domain->h, *inverse = domain->h_inv;    // xx yy zz yz xz xy of the upper triangle
  graph.cell = {h[0], 0.0, 0.0, h[5], h[1], 0.0, h[4], h[3], h[2]};

  std::vector<int64_t> by_tag(*std::max_element(tag, tag + n_owned) + 1);
  for (int i = 0; i < n_owned; i++) by_tag[tag[i]] = i;
  owners.resize(n_all);
  images.resize(3 * n_all);
  for (int j = 0; j < n_all; j++) {
    const int64_t i = owners[j] = by_tag[tag[j]];
    const double d[3] = {x[j][0] - x[i][0], x[j][1] - x[i][1], x[j][2] - x[i][2]};
    images[3 * j] = std::round(inverse[0] * d[0] + inverse[5] * d[1] + inverse[4] * d[2]);
    images[3 * j + 1] = std::round(inverse[1] * d[1] + inverse[3] * d[2]);
    images[3 * j + 2] = std::round(inverse[2] * d[2]);
  }
}

void PairEquivariant::connect_atoms()
{
  double **x = atom->x;
  const int *type = atom->type;
  const int stride = atom->ntypes + 1;
  graph.centres.clear();
  graph.neighbours.clear();
  graph.shifts.clear();
  for (int ii = 0; ii < list->inum; ii++) {
    const int i = list->ilist[ii];
    const double *limits = cutoffs_sq.data() + type[i] * stride;
    for (int jj = 0; jj < list->numneigh[i]; jj++) {
      const int j = list->firstneigh[i][jj] & NEIGHMASK;
      const double dx = x[j][0] - x[i][0], dy = x[j][1] - x[i][1], dz = x[j][2] - x[i][2];
      if (dx * dx + dy * dy + dz * dz >= limits[type[j]]) continue;    // lists reach further, by the skin
      graph.centres.push_back(i);
      if (style == Style::ALLEGRO) {
        graph.neighbours.push_back(j);
      } else {
        graph.neighbours.push_back(owners[j]);
        graph.shifts.insert(graph.shifts.end(), {images[3 * j], images[3 * j + 1], images[3 * j + 2]});
      }
    }
  }
}

void PairEquivariant::collect(const Prediction &found)
{
  seconds[0] += found.seconds;
  seconds[2] += found.cpu_seconds;
  const int n_owned = atom->nlocal, n_nodes = style == Style::NEQUIP ? n_owned : n_owned + atom->nghost;
  double **f = atom->f;
  for (int i = 0; i < n_nodes; i++)
    for (int k = 0; k < 3; k++) f[i][k] += found.forces[3 * i + k];
  // A ghost's energy is counted by its owner; the model gives it the energy of a lone atom.
  if (eflag_global)
    for (int i = 0; i < n_owned; i++) eng_vdwl += found.energies[i];
  if (eflag_atom)
    for (int i = 0; i < n_owned; i++) eatom[i] += found.energies[i];
  if (vflag_global) {
    const int places[6] = {0, 4, 8, 1, 2, 5};    // xx yy zz xy xz yz
    for (int k = 0; k < 6; k++) virial[k] += found.virial[places[k]];
  }
}

extern "C" void *mlip_sse_create_pair(void *lmp, int style)
{
  return static_cast<Pair *>(new PairEquivariant(static_cast<LAMMPS *>(lmp), static_cast<Style>(style)));
}
